"""A configuration that kills every worker that trains it is given up after its retries, and the fleet goes on."""

import signal

import pytest

from search_spaces import StudyDefinition
from service.storage.database.database import Database
from service.storage.runs import history
from service.storage.states import RunState
from service.storage.studies import studies, trials
from tests.workers.conftest import StartWorker, finished, own_study, until
from workers.__main__ import SIGNALLED

RETRIES = 1


def poison(number: int) -> StudyDefinition:
    """A study of six runs, one of which sends this signal to its worker."""
    return own_study(
        "poison",
        "Poison",
        options={"signal": number},
        search_space={"dose": {"type": "int", "low": 1, "high": 6}},
        sampler={"name": "grid", "seed": 1},
        budget={},
        retries=RETRIES,
    )


@pytest.mark.wide
def test_a_poisonous_configuration_is_quarantined(db: Database, start_lone_worker: StartWorker) -> None:
    study = studies.create(db, poison(signal.SIGKILL))
    fleet = [start_lone_worker("--lease", "1") for _ in range(RETRIES + 1)]
    until(lambda: all(worker.poll() == -signal.SIGKILL for worker in fleet))
    start_lone_worker("--lease", "1")
    until(finished(db, "poison"))
    ended = {record.params["dose"]: record for record in trials.page(db, study)}
    poisonous = ended.pop(3)
    assert {record.state for record in ended.values()} == {RunState.COMPLETE}
    assert {record.attempts for record in ended.values()} == {1}
    assert (poisonous.state, poisonous.attempts) == (RunState.FAILED, RETRIES + 1)
    assert poisonous.reason is not None
    for worker in fleet:
        assert f":{worker.pid} at " in poisonous.reason
    told = history.of_run(db, poisonous.run_id)
    assert [attempt.state for attempt in told] == ["lost"] * RETRIES + ["failed"]
    # Who ends the run notes it first, and tells Optuna then.
    until(lambda: _told(db, study.optuna_study_id) == ["COMPLETE"] * 5 + ["FAIL"])


def test_a_trial_that_asks_its_worker_to_leave_fails_and_the_worker_stays(
    db: Database, start_lone_worker: StartWorker
) -> None:
    study = studies.create(db, poison(signal.SIGTERM))
    worker = start_lone_worker("--supervised")
    until(finished(db, "poison"))
    ended = {record.params["dose"]: record for record in trials.page(db, study)}
    poisonous = ended.pop(3)
    assert {record.state for record in ended.values()} == {RunState.COMPLETE}
    assert (poisonous.state, poisonous.attempts) == (RunState.FAILED, RETRIES + 1)
    assert poisonous.reason == "the trial process sent SIGTERM to its worker (attempt 2, retries used up)"
    worker.terminate()
    assert worker.wait(60) == SIGNALLED


def _told(db: Database, optuna_study_id: int) -> list[str]:
    return sorted(trial.state.name for trial in db.optuna.get_all_trials(optuna_study_id))
