"""Our reader of trials gives what Optuna's own gives, trial for trial."""

import math
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from service.storage.database.database import Database
from service.storage.optuna import storage
from tests.databases import Databases

# A value of every distribution there is, as Optuna would suggest it.
DIMENSIONS: dict[str, tuple[BaseDistribution, Any]] = {
    "word": (CategoricalDistribution(["dropout", "pernodedrop", 'a "quoted" \\ one', "größer"]), 'a "quoted" \\ one'),
    "mixed": (CategoricalDistribution([None, True, 1.5, "x"]), None),
    "number": (CategoricalDistribution([32, 64, 128]), 128),
    "rate": (FloatDistribution(0.0, 0.9, step=0.1), 0.3),
    "learning_rate": (FloatDistribution(1e-7, 0.1, log=True), 1.2345678901234567e-5),
    "units": (IntDistribution(1, 1_000_000, log=True), 999_999),
    "layers": (IntDistribution(2, 10, step=2), 8),
}

names = st.lists(st.sampled_from(sorted(DIMENSIONS)), unique=True)
numbers = st.floats(allow_nan=False)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
attributes = st.dictionaries(words, values | st.lists(values) | st.dictionaries(words, values), max_size=3)


@st.composite
def trials(draw: st.DrawFn) -> FrozenTrial:
    state = draw(st.sampled_from(TrialState))
    chosen = draw(names)
    return FrozenTrial(
        number=-1,
        trial_id=-1,
        state=state,
        value=None,
        values=draw(st.lists(numbers, min_size=2, max_size=2)) if state is TrialState.COMPLETE else None,
        datetime_start=None if state is TrialState.WAITING else datetime(2026, 7, 1, 12, 30, 0, 123456),
        datetime_complete=datetime(2026, 7, 1, 12, 31) if state.is_finished() else None,
        params={name: DIMENSIONS[name][1] for name in chosen},
        distributions={name: DIMENSIONS[name][0] for name in chosen},
        user_attrs=draw(attributes),
        system_attrs=draw(attributes),
        intermediate_values=draw(st.dictionaries(st.integers(0, 1000), st.floats(), max_size=4)),
    )


@pytest.fixture(scope="module")
def readers(databases: Databases, template_database: str) -> Iterator[tuple[optuna.storages.BaseStorage, RDBStorage]]:
    """Our storage and Optuna's on one database."""
    with databases.fresh(template_database) as name:
        theirs = RDBStorage(databases.url(name))
        with Database.open(databases.url(name)) as db:
            yield db.optuna, theirs
        theirs.remove_session()
        theirs.engine.dispose()


def in_full(trial: FrozenTrial) -> tuple[object, ...]:
    """Everything of a trial, its parameters in their order; NaN, which equals nothing, by its name."""
    reports = {step: "nan" if math.isnan(value) else value for step, value in trial.intermediate_values.items()}
    state = {name: value for name, value in vars(trial).items() if name != "intermediate_values"}
    return (
        state,
        reports,
        list(trial.params.items()),
        list(trial.distributions),
        [type(v) for v in trial.params.values()],
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(trials(), max_size=6), st.sets(st.integers(0, 5)), st.integers(-1, 5), st.sets(st.sampled_from(TrialState))
)
def test_both_readers_agree(
    readers: tuple[optuna.storages.BaseStorage, Any],
    written: list[FrozenTrial],
    among: set[int],
    after: int,
    states: set[TrialState],
) -> None:
    cache, theirs = readers
    ours = cache._backend  # type: ignore[attr-defined]
    study = theirs.create_new_study([StudyDirection.MINIMIZE] * 2)
    ids = [theirs.create_new_trial(study, trial) for trial in written]
    first = ids[0] if ids else 0
    parts: tuple[tuple[tuple[TrialState, ...] | None, set[int], int], ...] = (
        (None, set(), -1),
        (tuple(states), set(), -1),
        (None, {first + index for index in among}, first + after),
    )
    for chosen, included, above in parts:
        read, expected = (storage._get_trials(study, chosen, included, above) for storage in (ours, theirs))
        assert [in_full(trial) for trial in read] == [in_full(trial) for trial in expected]
    for trial_id in ids:
        assert in_full(cache.get_trial(trial_id)) == in_full(theirs.get_trial(trial_id))


def test_times_are_local_as_optunas_are(
    readers: tuple[optuna.storages.BaseStorage, RDBStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, theirs = readers
    study = theirs.create_new_study([StudyDirection.MINIMIZE])
    theirs.create_new_trial(study)
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        [ours], [expected] = cache.get_all_trials(study), theirs.get_all_trials(study)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert ours.datetime_start == expected.datetime_start


def test_what_does_not_exist(readers: tuple[optuna.storages.BaseStorage, RDBStorage]) -> None:
    cache, _ = readers
    with pytest.raises(KeyError):
        cache.get_all_trials(10**6)
    with pytest.raises(KeyError):
        cache.get_trial(10**6)


def test_the_cache_sees_what_others_finish(db: Database) -> None:
    study = optuna.create_study(storage=db.optuna, sampler=optuna.samplers.RandomSampler(seed=1))
    with Database.open(db.url) as other:
        theirs = optuna.load_study(study_name=study.study_name, storage=other.optuna)
        running = theirs.ask()
        theirs.tell(theirs.ask(), 1.0)
        assert [trial.state.name for trial in study.trials] == ["RUNNING", "COMPLETE"]
        running.report(0.5, 1)
        assert study.trials[0].intermediate_values == {1: 0.5}
        theirs.tell(running, 2.0)
        assert [trial.value for trial in study.trials] == [2.0, 1.0]


def test_trials_are_kept_of_the_studies_that_were_read_last(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_STUDIES", 3)
    studies = [optuna.create_study(storage=db.optuna) for _ in range(6)]
    first = studies[0].ask()
    for study in studies:
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=4)
    cache = db.optuna
    assert isinstance(cache, storage.TrialsCache)
    assert [len(each.trials) for each in cache._studies.values()] == [4] * 3
    assert len(cache._trial_id_to_study_id_and_number) == len(cache._study_id_and_number_to_trial_id) == 12
    studies[0].tell(first, 0.5)
    assert studies[0].trials[0].value == 0.5
    assert len(studies[0].trials) == 5
