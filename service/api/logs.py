"""What runs have written and why they failed: trials of the search, and runs of the confirmation."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import ConfirmationPlace, DatabaseOf, StudyName, TrialNumber
from service.api.errors import documented
from service.api.models import AttemptLog, Logs
from service.storage.database.database import Database
from service.storage.errors import UnknownTrial
from service.storage.runs import logs
from service.storage.states import Stage
from service.storage.studies import studies, trials
from service.web.orders import MAX_NUMBER

router = APIRouter(prefix="/studies/{name}", tags=["trials"], responses=documented(404))

Attempt = Annotated[
    int | None, Query(ge=1, le=MAX_NUMBER, description="This is the place of one attempt; all are the default.")
]


@router.get("/trials/{number}/logs")
def show(name: StudyName, number: TrialNumber, database: DatabaseOf, attempt: Attempt = None) -> Logs:
    """Show the traceback and the last lines of standard output and error of each attempt of a trial.

    What a trial in training has written comes every few seconds.
    """
    return _logs(database, name, number, Stage.SEARCH, attempt)


@router.get("/confirmation/{place}/logs")
def show_confirming(name: StudyName, place: ConfirmationPlace, database: DatabaseOf, attempt: Attempt = None) -> Logs:
    """Show the same of a run of the confirmation."""
    return _logs(database, name, place, Stage.CONFIRMATION, attempt)


def _logs(database: Database, name: str, number: int, stage: Stage, attempt: int | None) -> Logs:
    study = studies.get(database, name)
    trial = trials.get(database, study, number, stage)
    kept = logs.of_run(database, trial.run_id)
    if attempt is not None and attempt > len(kept):
        raise UnknownTrial(name, f"attempt {attempt} of {stage.called(number)}: it has had {len(kept)}")
    chosen = kept if attempt is None else [kept[attempt - 1]]
    return Logs(state=trial.state, attempts=[_log(one) for one in chosen])


def _log(kept: logs.Kept) -> AttemptLog:
    of_both = dict(zip(("stdout_bytes", "stderr_bytes"), kept.log.written, strict=True))
    return AttemptLog(
        attempt=kept.place,
        state=kept.attempt.state,
        worker=kept.attempt.worker,
        started_at=kept.attempt.started_at,
        ended_at=kept.attempt.ended_at,
        reason=kept.attempt.reason,
        traceback=kept.log.traceback,
        stdout=kept.log.stdout,
        stderr=kept.log.stderr,
        written_at=kept.at,
        **of_both,
    )
