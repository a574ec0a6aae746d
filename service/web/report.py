"""A study's results from the database, for the API's routes and the dashboard's page."""

from service.reports import Results
from service.reports.found.confirmed import Confirmation, confirmation_of
from service.reports.words.winner import verdict_of
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import curves, trials


def results_of(database: Database, study: StudyRecord) -> Results:
    """Return the study's results: every begun trial and every run of the confirmation, with learning curves."""
    points = curves.of_study(database, study.id)
    return Results(study, trials.begun(database, study), points, trials.confirming(database, study))


def winner_of(database: Database, study: StudyRecord) -> tuple[Confirmation, list[str]] | None:
    """Return the confirmation's figures and its verdict; None before it has ended."""
    if study.winner is None:
        return None
    runs = trials.confirming(database, study)
    results = Results(study, [], {run.run_id: curves.of_run(database, run.run_id) for run in runs}, runs)
    confirmed = confirmation_of(results)
    return None if confirmed is None else (confirmed, verdict_of(results, confirmed))
