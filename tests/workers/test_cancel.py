"""A trial that is cancelled by hand ends, and its worker goes on with others."""

from service.storage.database.database import Database
from service.storage.runs import history
from service.storage.states import RunState
from service.storage.studies import cancellation, studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until


def test_the_holder_notices_and_goes_on(db: Database, start_worker: StartWorker) -> None:
    study = studies.create(db, own_study("cancelled", trials=2, epochs=30, options={"seconds": 0.1}))
    start_worker()
    until(lambda: trials.page(db, study)[0].epoch >= 2)
    cancellation.cancel(db, "cancelled", 0)
    reached = trials.get(db, study, 0)
    until(finished(db, "cancelled"))
    first, second = trials.page(db, study)
    assert (first.state, first.reason, first.epoch) == (RunState.CANCELLED, "cancelled by hand", reached.epoch)
    assert (second.state, second.epoch) == (RunState.COMPLETE, 30)
    assert [attempt.state for attempt in history.of_run(db, first.run_id)] == ["cancelled"]
    assert [told.state.name for told in db.optuna.get_all_trials(study.optuna_study_id)] == ["FAIL", "COMPLETE"]
