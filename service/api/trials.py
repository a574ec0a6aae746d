"""Runs of a study, trials of the search and runs of the confirmation: parameters, states, values, learning curves."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query

from search_spaces import Known
from service.api.answers import best_out
from service.api.dependencies import (
    ConfirmationPlace,
    CreationsOf,
    DatabaseOf,
    Limit,
    Offset,
    SettingsOf,
    StudyName,
    TrialNumber,
)
from service.api.errors import documented
from service.api.models import BestOut, TrialDetail, TrialOut, TrialPage
from service.api.records import study_path, trial_detail, trial_out
from service.storage import records
from service.storage.database.database import Database
from service.storage.runs import history, keeping
from service.storage.states import RunState, Stage
from service.storage.studies import (
    cancellation,
    curves,
    enqueueing,
    provenances,
    selection,
    studies,
    trials,
    withdrawal,
)
from service.web.bodies import Body, BodyRoute
from service.web.faults import NoCompleteTrial
from service.web.report import winner_of

router = APIRouter(prefix="/studies/{name}", tags=["trials"], responses=documented(404), route_class=BodyRoute)

State = Annotated[RunState | None, Query(description="The page has only runs in this state.")]

StageOf = Annotated[Stage | None, Query(description="The page has only runs of this stage.")]
Variant = Annotated[
    str | None,
    Query(
        max_length=200,
        description="The page has only runs of this variant, or of those whose names begin so.",
        examples=["pernodedrop-gaussian"],
    ),
]
Where = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="The page has only runs whose parameters hold these conditions, by commas; the signs are =, !=, <, "
        "<=, > and >=. What no parameter is named like may be value, epoch, time, attempts, number, state or stage.",
        examples=["drop_rate>=0.3,units=64"],
    ),
]
Sort = Annotated[
    str | None,
    Query(
        max_length=64,
        description="The page is in the order of number, value (the best first), epoch, time, attempts, state, stage, "
        "variant, a further objective's metric or a parameter; runs without one come last.",
        examples=["value"],
    ),
]
RunId = Annotated[
    int, Path(ge=1, le=2**63 - 1, description="This is the run's id, as enqueueing answers it.", examples=[17])
]
Descending = Annotated[bool, Query(description="The order is the other way round.")]


@router.get("/trials")
def listing(
    name: StudyName,
    database: DatabaseOf,
    state: State = None,
    limit: Limit = 100,
    offset: Offset = 0,
    *,
    stage: StageOf = None,
    variant: Variant = None,
    where: Where = None,
    sort: Sort = None,
    descending: Descending = False,
) -> TrialPage:
    """List the study's runs in the order of its queue, including those that confirm, or certain ones in another order.

    With stage, variant, where, sort or descending the list has only runs that have rows: of a long search, not those
    that wait for their turn.
    """
    study = studies.get(database, name)
    wanted = selection.Wanted(state, stage, variant, where, sort, descending)
    return _page(*selection.page(database, study, wanted, limit, offset), study)


@router.post("/trials", status_code=201, responses=documented(408, 409, 413))
async def enqueue(name: StudyName, known: Body[Known], creations: CreationsOf) -> TrialOut:
    """Train this configuration next: a trial of the budget that has not begun becomes its.

    It must suit the search space, or be marked as outside of it. The sampler draws the dimensions that are missing. A
    whole configuration that the study has already is refused, so a repeated request adds nothing.
    """
    trial, definition = await creations.run(enqueueing.enqueue, name, known)
    return trial_out(trial, definition)


@router.post("/runs/{run}/withdraw", responses=documented(409))
def withdraw(name: StudyName, run: RunId, database: DatabaseOf) -> TrialOut:
    """Take back a configuration that waits in the queue: the sampler chooses for its run again, within the budget."""
    trial = withdrawal.withdraw(database, name, run)
    return trial_out(trial, studies.get(database, name).definition)


@router.get("/trials/{number}")
def show(name: StudyName, number: TrialNumber, database: DatabaseOf, settings: SettingsOf) -> TrialDetail:
    """Show one trial with its history and its learning curves."""
    link = f"{study_path(name, settings)}/trials/{number}/logs"
    return _shown(database, name, number, Stage.SEARCH, link)


@router.post("/trials/{number}/cancel", responses=documented(409))
def cancel(name: StudyName, number: TrialNumber, database: DatabaseOf) -> TrialOut:
    """End a trial that waits or is in training, for good; its worker takes another within seconds."""
    return _cancelled(database, name, number, Stage.SEARCH)


@router.get("/confirmation")
def confirming(name: StudyName, database: DatabaseOf, limit: Limit = 100, offset: Offset = 0) -> TrialPage:
    """List the runs of the study's confirmation in the order of its queue, by place."""
    study = studies.get(database, name)
    page = trials.page(database, study, limit=limit, offset=offset, stage=Stage.CONFIRMATION)
    return _page(page, sum(study.confirmation.values()), study)


@router.get("/confirmation/{place}")
def show_confirming(
    name: StudyName, place: ConfirmationPlace, database: DatabaseOf, settings: SettingsOf
) -> TrialDetail:
    """Show one run of the confirmation with its history and its learning curves."""
    link = f"{study_path(name, settings)}/confirmation/{place}/logs"
    return _shown(database, name, place, Stage.CONFIRMATION, link)


@router.post("/confirmation/{place}/cancel", responses=documented(409))
def cancel_confirming(name: StudyName, place: ConfirmationPlace, database: DatabaseOf) -> TrialOut:
    """End a run of the confirmation that waits or is in training, for good; the others decide the winner."""
    return _cancelled(database, name, place, Stage.CONFIRMATION)


@router.get("/best")
def best(name: StudyName, database: DatabaseOf) -> BestOut:
    """Show the search's best, and the configuration that the confirmation recommends; 404 while no trial is complete.

    The search's best is the complete trial with the best first objective; the best of many trials is partly luck.
    """
    study = studies.get(database, name)
    if study.best is None:
        raise NoCompleteTrial(study)
    named = winner_of(database, study)
    return best_out(study.best, study, None if named is None else named[0])


def _page(page: Sequence[records.TrialRecord], total: int, study: records.StudyRecord) -> TrialPage:
    return TrialPage(trials=[trial_out(trial, study.definition) for trial in page], total=total)


def _shown(database: Database, name: str, number: int, stage: Stage, logs: str) -> TrialDetail:
    study = studies.get(database, name)
    trial = trials.get(database, study, number, stage)
    attempts, points = history.of_run(database, trial.run_id), curves.of_run(database, trial.run_id)
    origin = provenances.of_run(database, study.definition, trial)
    kept = keeping.of_runs(database, [trial.run_id]).get(trial.run_id, ())
    return trial_detail(trial, study.definition, attempts, points, origin, kept=kept, logs=logs)


def _cancelled(database: Database, name: str, number: int, stage: Stage) -> TrialOut:
    cancellation.cancel(database, name, number, stage)
    study = studies.get(database, name)
    return trial_out(trials.get(database, study, number, stage), study.definition)
