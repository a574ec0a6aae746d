"""A confirmation that is asked for later than the study."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from search_spaces import Confirmation
from service.storage.database.database import Database
from service.storage.errors import NotConfirmable, UnknownStudy
from service.storage.runs import holding
from service.storage.runs.endings import close_finished_studies
from service.storage.states import RunState, StudyState
from service.storage.studies import extension, studies
from tests.storage.conftest import make_definition
from tests.storage.queueing import at_once, claimed, execute, nothing
from tests.storage.test_confirmation import confirming, dropconnect, dropout, end, searched

ONCE = Confirmation(top=1, repeats=2)


def test_a_finished_study_is_confirmed_at_once(db: Database) -> None:
    study = searched(db, confirmation=None)
    close_finished_studies(db)
    assert studies.get(db, "found").state is StudyState.COMPLETE
    now = extension.confirm(db, "found", ONCE)
    assert (now.state, now.finished_at, now.definition.confirmation) == (StudyState.RUNNING, None, ONCE)
    assert confirming(db, study) == [(5, "dropout", 0.1), (6, "dropconnect", 0.2)]
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    assert studies.get(db, "found").state is StudyState.COMPLETE


def test_a_search_that_goes_on_is_confirmed_when_it_ends(db: Database) -> None:
    study = searched(db, confirmation=None)
    assert extension.confirm(db, "found", ONCE).confirmation["waiting"] == 0
    close_finished_studies(db)
    assert len(confirming(db, study)) == 2


def test_a_larger_top_confirms_only_what_is_new(db: Database) -> None:
    study = searched(db, confirmation={"top": 1, "repeats": 2})
    close_finished_studies(db)
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    extension.confirm(db, "found", Confirmation(top=2, repeats=2))
    assert [(variant, rate) for _, variant, rate in confirming(db, study)][2:] == [
        ("dropout", 0.2),
        ("dropconnect", 0.1),
    ]


def test_what_is_not_said_is_as_the_study_has_it(db: Database) -> None:
    searched(db, confirmation={"top": 3, "repeats": 7})
    assert extension.confirm(db, "found", Confirmation(top=4)).definition.confirmation == Confirmation(top=4, repeats=7)


def test_the_time_until_it_is_confirmed_is_no_wall_time_and_a_pause_is_over(db: Database) -> None:
    searched(db, confirmation=None)
    execute(db, "UPDATE fleet.studies SET started_at = now() - interval '1 hour'")
    studies.set_state(db, "found", "paused")
    close_finished_studies(db)
    execute(
        db, "UPDATE fleet.studies SET started_at = started_at - interval '1 day', finished_at = now()-interval '1 day'"
    )
    now = extension.confirm(db, "found", ONCE)
    assert now.state is StudyState.RUNNING
    assert now.started_at is not None
    assert (datetime.now(UTC) - now.started_at).total_seconds() == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("first", ["confirm", "close"])
def test_an_order_in_the_moment_of_the_last_end_confirms_once(db: Database, first: str) -> None:
    study = studies.create(db, make_definition("found", trials=1))
    last = claimed(db)
    holding.attach(db, last, None, None, {"regularizer": "dropout", "drop_rate": 0.1})
    calls: dict[str, Callable[[], object]] = {
        "confirm": lambda: extension.confirm(db, "found", ONCE),
        "close": lambda: holding.finish(db, last, RunState.COMPLETE, values=[0.5], tell=nothing),
    }
    at_once(db, study.id, calls, first)
    assert studies.get(db, "found").confirmation["waiting"] == 1


def test_a_study_whose_trials_all_failed_has_nothing_to_confirm(db: Database) -> None:
    studies.create(db, make_definition("found", trials=1))
    holding.finish(db, claimed(db), RunState.FAILED, reason="no data", tell=nothing)
    with pytest.raises(NotConfirmable, match="none of its trials is complete: extend it, or mend what makes them fail"):
        extension.confirm(db, "found", ONCE)


def test_several_objectives_are_not_confirmed(db: Database) -> None:
    objectives = [{"metric": "val_loss"}, {"metric": "val_accuracy", "direction": "maximize"}]
    studies.create(db, make_definition("found", trials=2, objectives=objectives, sampler={"name": "random"}))
    with pytest.raises(NotConfirmable, match="it has several objectives"):
        extension.confirm(db, "found", ONCE)
    assert studies.get(db, "found").definition.confirmation is None


def test_what_cannot_be_confirmed(db: Database) -> None:
    with pytest.raises(UnknownStudy):
        extension.confirm(db, "found", ONCE)
    study = searched(db, confirmation={"top": 1, "repeats": 2})
    close_finished_studies(db)
    with pytest.raises(NotConfirmable, match="its runs are under way, and nothing would be added to them"):
        extension.confirm(db, "found", ONCE)
    end(db, study, [dropout(0.1, 0.3), dropconnect(0.2, 0.7)])
    close_finished_studies(db)
    with pytest.raises(NotConfirmable, match="none of its complete configurations is left to confirm"):
        extension.confirm(db, "found", ONCE)
    assert studies.get(db, "found").state is StudyState.COMPLETE
    extension.confirm(db, "found", Confirmation(top=2, repeats=2))
    with pytest.raises(NotConfirmable, match="2 of each variant are confirmed: top must be at least 2"):
        extension.confirm(db, "found", ONCE)
    studies.set_state(db, "found", "stopped")
    with pytest.raises(NotConfirmable, match="it was stopped for good"):
        extension.confirm(db, "found", Confirmation(top=3, repeats=2))


def test_every_fold_tests_equally_often(db: Database) -> None:
    searched(db, confirmation=None, folds=4)
    with pytest.raises(NotConfirmable, match=r"repeats must be a multiple of folds \(4\), .* got 5$"):
        extension.confirm(db, "found", Confirmation())
    assert extension.confirm(db, "found", Confirmation(repeats=8)).definition.confirmation == Confirmation(repeats=8)
