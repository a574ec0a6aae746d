"""A study's results from the database, for the API's routes and the dashboard's page."""

from service.reports import Results
from service.reports.found.confirmed import Confirmation, confirmation_of
from service.reports.found.decided import has_decision
from service.reports.words.winner import so_far, verdict_of
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.runs import keeping
from service.storage.studies import columns, curves, examinations, provenances, trials
from service.storage.studies.extent import Extent, extent_of

MOST_RUNS = 200_000  # of a search; a run takes about a kilobyte
MOST_POINTS = 4_000_000  # of learning curves; a point takes some twenty bytes
ALWAYS = 2_000  # best trials that are read in any case


def results_of(database: Database, study: StudyRecord, *, whole: bool = False) -> Results:
    """Return the study's results: every begun trial and every run of the confirmation, with learning curves.

    Of a study beyond MOST_RUNS or MOST_POINTS a part is read unless it is to be `whole`, and the results say which.
    """
    extent = Extent(0, 0) if whole else extent_of(database, study.id)
    every_run = -(-extent.runs // MOST_RUNS) or 1
    every_curve = every_run * (-(-extent.points // (every_run * MOST_POINTS)) or 1)
    begun = trials.begun(database, study, every_run, ALWAYS if every_run > 1 else 0)
    confirming = trials.confirming(database, study)
    read = Results(study, begun, {}, confirming, every_run, every_curve)
    wanted = [run.run_id for run in confirming]
    if every_curve > 1:
        wanted += [trial.run_id for trial in read.best_first[:ALWAYS]]
        wanted += [several[0].run_id for several in read.complete.values()]
    points = columns.of_study(database, study.id, every_curve, wanted)
    examined = examinations.of_study(database, study.id) if study.definition.evaluation else []
    origins = provenances.of_study(database, study.id)
    kept = keeping.of_runs(database, [run.run_id for run in confirming])
    return Results(study, begun, points, confirming, every_run, every_curve, examined, origins, kept)


def winner_of(database: Database, study: StudyRecord) -> tuple[Confirmation, list[str]] | None:
    """Return the confirmation's figures and its verdict; None before it has ended."""
    if study.winner is None:
        return None
    runs = trials.confirming(database, study)
    results = Results(study, [], {run.run_id: curves.of_run(database, run.run_id) for run in runs}, runs)
    confirmed = confirmation_of(results)
    return None if confirmed is None else (confirmed, verdict_of(results, confirmed))


def confirmation_so_far(database: Database, study: StudyRecord) -> str | None:
    """Return the sentence that says where a confirmation stands that goes on until it is decided; None for others."""
    has_begun = sum(study.confirmation.values()) > 0
    return so_far(study, trials.confirming(database, study)) if has_begun and has_decision(study) else None
