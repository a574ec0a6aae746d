"""What ran, and where its gradient noise is another than the masks'."""

import pytest

from service.reports import Results
from service.reports.sections.backends import backends
from tests.reports.samples import params_of, study_of, trial_of

GAUSSIAN = params_of("pernodedrop-gaussian-dynamic", drop_rate=0.2, units=64)
BERNOULLI = params_of("pernodedrop-bernoulli-dynamic", drop_rate=0.2, units=64)


def section(*noises: tuple[dict[str, object], str | None]) -> str:
    trials = [
        trial_of(number, [0.3], params=params, facts={"backend": "b"} | ({"gradient_noise": noise} if noise else {}))
        for number, (params, noise) in enumerate(noises)
    ]
    return str(backends(Results(study_of(trials), trials, {})))


@pytest.mark.parametrize(
    "noise, words", [("less", "less of it than their masks have"), ("full+more", "more of it than their masks have")]
)
def test_variants_whose_backend_has_another_gradient_noise_are_named(noise: str, words: str) -> None:
    text = section((GAUSSIAN, noise), (BERNOULLI, "full"))
    assert f"Trained were pernodedrop-gaussian-dynamic with {words}: a difference" in text


def test_nothing_is_said_where_it_does_not_matter() -> None:
    for noises in ([(GAUSSIAN, "full"), (BERNOULLI, None)], [(GAUSSIAN, "less"), (GAUSSIAN, "less")]):
        assert "Wei, Kakade" not in section(*noises)


def test_runs_that_come_from_different_processors_are_not_bit_comparable() -> None:
    kinds = {name: {"hardware": {"cpu": name}, "run": {"backend": name}} for name in ("Xeon", "EPYC")}
    origins = ["Xeon", "EPYC", "Xeon", None]
    trials = [trial_of(i, [0.3], facts={"backend": "b"}, provenance=origin) for i, origin in enumerate(origins)]
    text = str(backends(Results(study_of(trials), trials, {}, provenances=kinds)))
    assert "not all come from the same, so they are not bit-comparable: hardware cpu Xeon or EPYC." in text
    assert "Where 1 of the runs come from is not recorded." in text
    assert "bit-comparable" not in str(backends(Results(study_of(trials), trials[::2], {}, provenances=kinds)))
