"""A study's report from the database, for the API's route and the dashboard's page."""

from service.reports import html_report
from service.storage import curves, trials
from service.storage.database import Database
from service.storage.records import RunState, StudyRecord, TrialRecord

BEGUN = (RunState.RUNNING, RunState.COMPLETE, RunState.PRUNED, RunState.FAILED)


def report_of(database: Database, study: StudyRecord) -> str:
    """The study's report as a self-contained HTML page."""
    return html_report(study, trials_of(database, study), curves.of_study(database, study.id))


def trials_of(database: Database, study: StudyRecord) -> list[TrialRecord]:
    """Every trial that was begun, by number: a queue of a million waiting runs is not read for a report."""
    begun = [
        trial
        for state in BEGUN
        if study.counts[state]
        for trial in trials.page(database, study, state, limit=study.counts[state])
    ]
    return sorted(begun, key=lambda trial: (trial.number is None, trial.number))
