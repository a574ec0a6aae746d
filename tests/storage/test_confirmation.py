"""The configurations that are confirmed, each of them once."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import StudyRecord
from service.storage.runs import claiming, confirmation, holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, Stage, StudyState
from service.storage.studies import extension, studies, trials
from tests.storage.conftest import make_definition

MAXIMIZE = [{"metric": "val_accuracy", "direction": "maximize"}]
SPACE = {
    "regularizer": {"type": "categorical", "choices": ["dropout", "dropconnect"]},
    "drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1},
}

Result = tuple[Mapping[str, Any], float | None]  # parameters and value; None for a run that failed


def dropout(rate: float, value: float | None) -> Result:
    return {"regularizer": "dropout", "drop_rate": rate}, value


def dropconnect(rate: float, value: float | None) -> Result:
    return {"regularizer": "dropconnect", "drop_rate": rate}, value


FOUND = [dropout(0.3, 0.5), dropconnect(0.1, 0.9), dropout(0.1, 0.2), dropconnect(0.2, 0.4), dropout(0.2, 0.2)]


def searched(db: Database, found: Sequence[Result] = FOUND, **parts: Any) -> StudyRecord:
    """A study whose runs have ended with these results, before anybody has noted the end of the search."""
    definition = make_definition(
        "found",
        trials=len(found),
        **{"search_space": SPACE, "confirmation": {"top": 1, "repeats": 3}, "keep": "none", **parts},
    )
    study = studies.create(db, definition)
    end(db, study, found)
    return study


def end(db: Database, study: StudyRecord, found: Sequence[Result]) -> None:
    """End the study's waiting runs with these results."""
    statement = sa.text(
        """
        UPDATE fleet.runs SET state = :state, params = cast(:params AS jsonb), values = :values, finished_at = now()
        WHERE id = (SELECT id FROM fleet.runs WHERE study_id = :study AND state = 'waiting' ORDER BY ordinal LIMIT 1)
        """
    )
    with db.engine.begin() as connection:
        for params, value in found:
            values = None if value is None else [value]
            state = RunState.FAILED if value is None else RunState.COMPLETE
            changes = {"state": state, "params": json.dumps(params), "values": values}
            connection.execute(statement, {"study": study.id, **changes})


def confirming(db: Database, study: StudyRecord) -> list[tuple[int, str, Any]]:
    """Ordinal's place, variant and rate of every run of the confirmation."""
    everything = trials.page(db, study)
    return [
        (place, run.variant, run.params["drop_rate"])
        for place, run in enumerate(everything)
        if run.stage is Stage.CONFIRMATION
    ]


def test_the_best_of_every_variant_is_confirmed(db: Database) -> None:
    study = searched(db)
    close_finished_studies(db)
    assert confirming(db, study) == [(5, "dropout", 0.1), (6, "dropconnect", 0.2)]  # of equals the earlier one
    now = studies.get(db, "found")
    assert (now.state, now.finished_at, now.winner) == (StudyState.RUNNING, None, None)
    assert now.counts["complete"] == sum(now.counts.values()) == 5
    assert now.confirmation["waiting"] == sum(now.confirmation.values()) == 2


def test_equal_configurations_are_confirmed_once(db: Database) -> None:
    found = [
        dropout(0.1, 0.2),
        dropout(0.1, 0.2),
        dropout(0.30000000000000004, 0.3),
        dropout(0.3, 0.3),
        dropout(0.5, 1),
    ]
    study = searched(db, found, confirmation={"top": 3, "repeats": 2})
    close_finished_studies(db)
    assert [rate for _, _, rate in confirming(db, study)] == [0.1, 0.3, 0.5]


def test_the_highest_is_the_best_where_it_is_maximized(db: Database) -> None:
    study = searched(db, objectives=MAXIMIZE)
    close_finished_studies(db)
    assert confirming(db, study) == [(5, "dropconnect", 0.1), (6, "dropout", 0.3)]


def test_without_a_complete_trial_there_is_nothing_to_confirm(db: Database) -> None:
    study = searched(db, [dropout(0.1, None), dropout(0.2, None)])
    close_finished_studies(db)
    assert confirming(db, study) == []
    assert studies.get(db, "found").state is StudyState.FAILED


def test_without_being_asked_nothing_is_confirmed(db: Database) -> None:
    study = searched(db, confirmation=None)
    close_finished_studies(db)
    assert confirming(db, study) == []
    assert studies.get(db, "found").state is StudyState.COMPLETE


def test_a_stopped_study_confirms_nothing(db: Database) -> None:
    study = studies.create(db, make_definition("found", trials=2, search_space=SPACE, confirmation={}))
    end(db, study, [dropout(0.1, 0.5)])
    studies.set_state(db, "found", "stopped")
    close_finished_studies(db)
    assert confirming(db, study) == []
    assert studies.get(db, "found").finished_at is not None


def test_limits_of_the_search_do_not_cut_the_confirmation_off(db: Database) -> None:
    study = searched(db, FOUND[:2], budget={"trials": 2, "wall_time": 60, "device_time": 60, "patience": 1})
    with db.engine.begin() as connection:
        connection.execute(sa.text("UPDATE fleet.studies SET started_at = now() - interval '1 day'"))
        connection.execute(sa.text("UPDATE fleet.runs SET spent_s = 1000"))
    close_finished_studies(db)
    close_finished_studies(db)
    assert studies.get(db, "found").confirmation["waiting"] == 2
    lease = claiming.claim(db, workers.register(db, "here", 1, "cpu"), 60)
    assert lease is not None
    assert (lease.stage, lease.study_id, lease.params) == (Stage.CONFIRMATION, study.id, FOUND[0][0])


def test_who_comes_at_once_schedules_once(db: Database) -> None:
    study = searched(db)

    def schedule(_: int) -> int:
        with db.engine.begin() as connection:
            return confirmation.schedule(connection, study.id)

    with ThreadPoolExecutor(4) as pool:
        scheduled = sorted(pool.map(schedule, range(4)))
    assert scheduled == [0, 0, 0, 2]
    assert len(confirming(db, study)) == 2


def test_workers_that_end_the_last_runs_at_once_schedule_once(db: Database) -> None:
    study = studies.create(db, make_definition("found", trials=4, search_space=SPACE, confirmation={}))
    leases = [claiming.claim(db, workers.register(db, "here", number, "cpu"), 60) for number in range(4)]

    def finish(place: int) -> None:
        lease = leases[place]
        assert lease is not None
        holding.attach(db, lease, None, None, {"regularizer": "dropout", "drop_rate": place / 10})
        holding.finish(db, lease, RunState.COMPLETE, values=[float(place)], tell=lambda: None)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(finish, range(4)))
    assert [rate for _, _, rate in confirming(db, study)] == [0.0]


def test_what_came_of_a_confirmation_does_not_start_another(db: Database) -> None:
    study = searched(db)
    close_finished_studies(db)
    end(db, study, [dropout(0.1, None), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    now = studies.get(db, "found")
    assert (now.state, now.confirmation["failed"], now.confirmation["complete"]) == (StudyState.COMPLETE, 1, 1)
    assert now.winner is not None
    assert (now.winner.variant, now.winner.values) == ("dropconnect", [0.7])
    assert now.best is not None
    assert now.best.values == [0.2]  # the search's best stays what it was


def test_an_extended_study_confirms_only_what_is_new(db: Database) -> None:
    study = searched(db)
    close_finished_studies(db)
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    extension.extend(db, "found", 2)
    assert studies.get(db, "found").winner is None  # the search goes on
    end(db, study, [dropout(0.6, 0.9), dropconnect(0.5, 0.1)])
    close_finished_studies(db)
    rates = [(variant, rate) for _, variant, rate in confirming(db, study)]
    assert rates == [("dropout", 0.1), ("dropconnect", 0.2), ("dropconnect", 0.5)]
    assert studies.get(db, "found").confirmation["waiting"] == 1
