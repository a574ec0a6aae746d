"""The list of studies: the same records as one by one, in the same few statements however many there are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from search_spaces import Confirmation
from service.reports.found.ranking import in_order
from service.storage.database.database import Database
from service.storage.runs import holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies, trials
from tests.storage.conftest import make_definition
from tests.storage.queueing import claimed, ended, execute, nothing, pass_time
from tests.storage.test_confirmation import dropconnect, dropout, end, searched


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    """Every statement that the block sends to the database."""
    sent: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    sa.event.remove(db.engine, "before_cursor_execute", note)


def number(db: Database, call: Callable[[], object]) -> int:
    """How many statements the call takes."""
    with statements(db) as sent:
        call()
    return len(sent)


def test_a_list_of_thirty_takes_as_many_statements_as_one_of_three(db: Database) -> None:
    for index in range(30):
        studies.create(db, make_definition(f"s-{index}", trials=1))
        ended(db, 0.5)
    assert {study.best is not None for study in studies.page(db)} == {True}
    assert number(db, lambda: studies.page(db, limit=3)) == number(db, lambda: studies.page(db, limit=30)) == 2
    assert number(db, lambda: studies.get(db, "s-3")) == 2


def test_what_a_report_reads_of_runs_takes_one_statement(db: Database) -> None:
    study = studies.create(db, make_definition("s", trials=6))
    for state in (RunState.PRUNED, RunState.FAILED, RunState.CANCELLED, RunState.COMPLETE):
        holding.finish(db, claimed(db), state, tell=nothing)
    holding.attach(db, claimed(db), 1, 0)  # begun last, and the first trial
    assert number(db, lambda: trials.begun(db, study)) == number(db, lambda: trials.confirming(db, study)) == 1
    assert [(run.number, run.state) for run in trials.begun(db, study)] == [
        (0, "running"),
        (None, "pruned"),
        (None, "failed"),
        (None, "complete"),
    ]


def test_every_study_is_listed_as_it_is_shown(db: Database) -> None:
    confirmed = searched(db, confirmation=None)
    close_finished_studies(db)
    extension.confirm(db, "found", Confirmation(top=1, repeats=2))
    end(db, confirmed, [dropout(0.1, 0.6), dropconnect(0.2, 0.4)])
    close_finished_studies(db)
    studies.create(db, make_definition("half", trials=3))
    ended(db, 0.3), claimed(db)
    studies.create(db, make_definition("stopped", trials=2))
    studies.set_state(db, "stopped", "stopped")
    studies.create(db, make_definition("untouched"))
    pass_time(db, 10)
    names = ["untouched", "stopped", "half", "found"]
    listed = studies.page(db)
    assert [study.name for study in listed] == names
    assert [study.name for study in studies.page(db, limit=2, offset=1)] == names[1:3]
    assert [study.state for study in listed] == ["running", "stopped", "running", "complete"]
    for study in listed:
        shown = studies.get(db, study.name)
        # A lease that runs costs more with every look.
        assert study.device_time_s == pytest.approx(shown.device_time_s, abs=5)
        assert {**vars(study), "device_time_s": 0} == {**vars(shown), "device_time_s": 0}
    assert listed[2].device_time_s == pytest.approx(10, abs=5)
    assert listed[2].counts == {**dict.fromkeys(RunState, 0), "waiting": 1, "running": 1, "complete": 1}
    assert [study.best and study.best.values for study in listed[:3]] == [None, None, [0.3]]


def test_the_winner_is_the_confirmations_best_run_once_it_has_ended(db: Database) -> None:
    study = searched(db, confirmation={"top": 1, "repeats": 2})
    close_finished_studies(db)
    end(db, study, [dropout(0.1, 0.6)])
    assert studies.get(db, "found").winner is None
    end(db, study, [dropconnect(0.2, 0.4)])
    close_finished_studies(db)
    record = studies.get(db, "found")
    assert record.state is StudyState.COMPLETE
    assert record.winner is not None
    assert record.winner == trials.confirming(db, record)[1]
    assert (record.winner.place, record.winner.values) == (1, [0.4])


@pytest.mark.parametrize(("direction", "second"), [("minimize", "maximize"), ("maximize", "minimize")])
def test_no_run_dominates_the_best_one(db: Database, direction: str, second: str) -> None:
    """Of runs that are equal by the first objective, as accuracies often are, the best by the second."""
    objectives = [{"metric": "val_accuracy", "direction": direction}, {"metric": "val_loss", "direction": second}]
    studies.create(db, make_definition("s", trials=5, objectives=objectives, sampler={"name": "nsgaii"}))
    for values in ([0.5, 0.1], [0.25, 0.2], [0.25, 0.7], [0.75, 0.7], [0.75, 0.2]):
        lease = claimed(db)
        holding.finish(db, lease, RunState.COMPLETE, values=values, tell=nothing)
    execute(db, "UPDATE fleet.runs SET trial_number = ordinal")
    study = studies.get(db, "s")
    assert study.best is not None
    assert study.best.values == ([0.25, 0.7] if direction == "minimize" else [0.75, 0.2])
    assert study.best == in_order(study, trials.begun(db, study))[0]


@pytest.mark.parametrize(("direction", "best"), [("minimize", 1), ("maximize", 3)])
def test_the_best_run_is_the_earliest_of_equals(db: Database, direction: str, best: int) -> None:
    objectives = [{"metric": "val_accuracy", "direction": direction}]
    studies.create(db, make_definition("s", trials=8, objectives=objectives))
    for value in (0.5, 0.1, 0.1, 0.9, 0.9):
        ended(db, value)
    ended(db, None)
    ended(db, 99.0 if direction == "maximize" else -1.0, RunState.PRUNED)
    execute(db, "UPDATE fleet.runs SET trial_number = ordinal")
    found = studies.get(db, "s").best
    assert found is not None
    assert found.number == best
