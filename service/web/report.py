"""A study's results from the database, for the API's routes and the dashboard's page."""

from service.reports import Results
from service.reports.confirmed import Confirmation, confirmation_of
from service.reports.winner import verdict_of
from service.storage import curves, trials
from service.storage.database import Database
from service.storage.records import RunState, Stage, StudyRecord, TrialRecord

BEGUN = (RunState.RUNNING, RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)


def results_of(database: Database, study: StudyRecord) -> Results:
    """Every trial that was begun, and every run of the confirmation, with their learning curves."""
    points = curves.of_study(database, study.id)
    return Results(study, trials_of(database, study), points, confirmations_of(database, study))


def trials_of(database: Database, study: StudyRecord) -> list[TrialRecord]:
    """Every trial of the search that was begun, by number: a queue of a million waiting runs is not read for it."""
    begun = [
        trial
        for state in BEGUN
        if study.counts[state]
        for trial in trials.page(database, study, state, limit=study.counts[state], stage=Stage.SEARCH)
    ]
    return sorted(begun, key=lambda trial: (trial.number is None, trial.number))


def confirmations_of(database: Database, study: StudyRecord) -> list[TrialRecord]:
    """Every run of the confirmation, in the order of the queue."""
    count = sum(study.confirmation.values())
    return trials.page(database, study, limit=count, stage=Stage.CONFIRMATION) if count else []


def winner_of(database: Database, study: StudyRecord) -> tuple[Confirmation, list[str]] | None:
    """What the confirmation measured and what is to be said of it; None before it has ended."""
    if study.winner is None:
        return None
    runs = confirmations_of(database, study)
    results = Results(study, [], {run.run_id: curves.of_run(database, run.run_id) for run in runs}, runs)
    confirmed = confirmation_of(results)
    return None if confirmed is None else (confirmed, verdict_of(results, confirmed))
