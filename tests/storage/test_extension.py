"""Further trials for a study: when it may have them, and simultaneous events."""

from collections.abc import Callable

import pytest

from service.storage.database.database import Database
from service.storage.errors import NotExtendable, UnknownStudy
from service.storage.runs import holding
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import at_once, claimed, counts, ended, execute, nothing, noting


def create(db: Database, trials: int = 3, **parts: object) -> int:
    return studies.create(db, make_definition("s", trials=trials, **parts)).id


def test_a_running_and_a_finished_study_are_extended(db: Database) -> None:
    create(db, trials=2)
    ended(db, 0.5)
    assert extension.extend(db, "s", 3).definition.trials == 5
    for _ in range(4):
        ended(db, 0.4)
    assert studies.get(db, "s").state is StudyState.COMPLETE
    again = extension.extend(db, "s", 2)
    assert (again.state, again.finished_at, again.definition.trials) == (StudyState.RUNNING, None, 7)
    assert counts(db, "s") == {"waiting": 2, "complete": 5}
    assert [ended(db, 0.3).ordinal for _ in range(2)] == [5, 6]
    assert studies.get(db, "s").state is StudyState.COMPLETE


def test_the_time_in_which_a_study_was_over_is_no_wall_time(db: Database) -> None:
    create(db, budget={"trials": 1, "wall_time": 3600})
    ended(db)
    execute(db, "UPDATE fleet.studies SET started_at = started_at - interval '1 day', finished_at = finished_at")
    with pytest.raises(NotExtendable, match="'s' cannot be extended: wall time used up: submit it under another name"):
        extension.extend(db, "s", 1)
    execute(
        db, "UPDATE fleet.studies SET started_at = now() - interval '2 days', finished_at = now() - interval '47 h'"
    )
    with pytest.raises(NotExtendable):
        extension.extend(db, "s", 1)
    execute(db, "UPDATE fleet.studies SET started_at = started_at + interval '1 min'")
    extension.extend(db, "s", 1)
    assert claimed(db).ordinal == 1


def test_some_studies_cannot_be_extended(db: Database) -> None:
    with pytest.raises(UnknownStudy):
        extension.extend(db, "s", 1)
    create(db, budget={"trials": 5, "patience": 2})
    with pytest.raises(NotExtendable, match=r"budget.trials must be at most 1000000, got 1000001"):
        extension.extend(db, "s", 999_996)
    for value in (0.1, 0.2, 0.2):
        ended(db, value)
    with pytest.raises(NotExtendable, match="patience: 2 trials in a row brought no better val_loss"):
        extension.extend(db, "s", 1)
    assert studies.get(db, "s").state is StudyState.COMPLETE
    units = {"units": {"type": "categorical", "choices": [32, 64]}}
    studies.create(db, make_definition("grid", budget={}, sampler={"name": "grid"}, search_space=units))
    with pytest.raises(NotExtendable, match="'grid' cannot be extended: its grid holds every configuration once"):
        extension.extend(db, "grid", 1)
    studies.create(db, make_definition("stopped"))
    studies.set_state(db, "stopped", "stopped")
    with pytest.raises(NotExtendable, match="'stopped' cannot be extended: it was stopped for good"):
        extension.extend(db, "stopped", 1)
    studies.create(db, make_definition("confirmed"))
    execute(db, "UPDATE fleet.studies SET stage = 'confirmation' WHERE name = 'confirmed'")
    with pytest.raises(NotExtendable, match="'confirmed' cannot be extended: its best configurations are being"):
        extension.extend(db, "confirmed", 1)


@pytest.mark.parametrize("first", ["extend", "close"])
def test_an_extension_in_the_moment_of_the_last_end_leaves_the_study_open(db: Database, first: str) -> None:
    study = create(db, trials=1)
    last = claimed(db)
    calls: dict[str, Callable[[], object]] = {
        "extend": lambda: extension.extend(db, "s", 2),
        "close": lambda: holding.finish(db, last, RunState.COMPLETE, tell=nothing),
    }
    at_once(db, study, calls, first)
    assert counts(db, "s") == {"complete": 1, "waiting": 2}
    assert studies.get(db, "s").finished_at is None
    ended(db), ended(db)
    assert studies.get(db, "s").state is StudyState.COMPLETE


@pytest.mark.parametrize("first", ["extend", "stop"])
def test_an_extension_in_the_moment_of_a_stop_leaves_nothing_waiting(db: Database, first: str) -> None:
    study = create(db, trials=1)
    refused: list[type[Exception]] = []
    calls: dict[str, Callable[[], object]] = {
        "extend": lambda: noting(refused, lambda: extension.extend(db, "s", 2)),
        "stop": lambda: studies.set_state(db, "s", "stopped"),
    }
    at_once(db, study, calls, first)
    assert refused == ([NotExtendable] if first == "stop" else [])
    assert counts(db, "s") == {"cancelled": 1 if first == "stop" else 3}
    assert studies.get(db, "s").finished_at is not None
