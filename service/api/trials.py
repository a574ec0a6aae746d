"""Trials of a study: their parameters, states, values and learning curves."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import DatabaseOf, Limit, Offset, StudyName, TrialNumber, errors
from service.api.faults import NoCompleteTrial
from service.api.models import RunState, TrialDetail, TrialOut, TrialPage
from service.api.records import trial_detail, trial_out
from service.storage import curves, records, studies, trials

router = APIRouter(prefix="/studies/{name}", tags=["trials"], responses=errors(404))

State = Annotated[RunState | None, Query(description="only runs in this state")]


@router.get("/trials")
def listing(
    name: StudyName,
    database: DatabaseOf,
    state: State = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> TrialPage:
    """The study's runs in the order of its queue, those of one state if given."""
    study = studies.get(database, name)
    wanted = None if state is None else records.RunState(state)
    page = trials.page(database, study, wanted, limit, offset)
    total = sum(study.counts.values()) if wanted is None else study.counts[wanted]
    return TrialPage(trials=[trial_out(trial, study.definition.epochs) for trial in page], total=total)


@router.get("/trials/{number}")
def show(name: StudyName, number: TrialNumber, database: DatabaseOf) -> TrialDetail:
    """One trial with its learning curves."""
    study = studies.get(database, name)
    trial = trials.get(database, study, number)
    return trial_detail(trial, study.definition.epochs, curves.of_run(database, trial.run_id))


@router.get("/best")
def best(name: StudyName, database: DatabaseOf) -> TrialOut:
    """The complete trial with the best first objective; 404 while none is complete."""
    study = studies.get(database, name)
    if study.best is None:
        raise NoCompleteTrial(name)
    return trial_out(study.best, study.definition.epochs)
