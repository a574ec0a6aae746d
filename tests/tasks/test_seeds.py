from hypothesis import given
from hypothesis import strategies as st

from workers.training.seeds import repeat_seed, streams

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(0, 99))
def test_a_repeat_has_one_seed_for_ever(study_seed: int, repeat: int) -> None:
    assert repeat_seed(study_seed, repeat) == repeat_seed(study_seed, repeat)
    assert 0 <= repeat_seed(study_seed, repeat) < 2**63


def test_the_seed_of_a_stored_study_does_not_change_with_versions() -> None:
    assert repeat_seed(7, 0) == 1693125408465869867
    assert streams(7, 2) == [1693125408465869867, 2021251017632032385]


def test_repeats_and_studies_differ() -> None:
    seen = {repeat_seed(study, repeat) for study in range(50) for repeat in range(20)}
    assert len(seen) == 1000


@given(seeds)
def test_more_streams_do_not_change_the_first(seed: int) -> None:
    assert streams(seed, 2) == streams(seed, 3)[:2]
    assert len(set(streams(seed, 3))) == 3
