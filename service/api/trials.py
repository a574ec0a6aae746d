"""Trials of a study: their parameters, states, values and learning curves."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import DatabaseOf, Limit, Offset, StudyName, TrialNumber, errors
from service.api.faults import NoCompleteTrial
from service.api.models import RunState, TrialDetail, TrialOut, TrialPage
from service.api.records import trial_detail, trial_out
from service.storage import cancellation, curves, history, records, studies, trials

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
    """The study's runs in the order of its queue, those that confirm among them; those of one state if given."""
    study = studies.get(database, name)
    wanted = None if state is None else records.RunState(state)
    page = trials.page(database, study, wanted, limit, offset)
    counts = (study.counts, study.confirmation)
    total = sum(sum(by_state.values()) if wanted is None else by_state[wanted] for by_state in counts)
    return TrialPage(trials=[trial_out(trial, study.definition) for trial in page], total=total)


@router.get("/trials/{number}")
def show(name: StudyName, number: TrialNumber, database: DatabaseOf) -> TrialDetail:
    """One trial with what happened to it and its learning curves."""
    study = studies.get(database, name)
    trial = trials.get(database, study, number)
    attempts, points = history.of_run(database, trial.run_id), curves.of_run(database, trial.run_id)
    return trial_detail(trial, study.definition, attempts, points)


@router.post("/trials/{number}/cancel", responses=errors(409))
def cancel(name: StudyName, number: TrialNumber, database: DatabaseOf) -> TrialOut:
    """End a trial that waits or is in training, for good; its worker goes on with another within seconds."""
    cancellation.cancel(database, name, number)
    study = studies.get(database, name)
    return trial_out(trials.get(database, study, number), study.definition)


@router.get("/best")
def best(name: StudyName, database: DatabaseOf) -> TrialOut:
    """The complete trial with the best first objective; 404 while none is complete."""
    study = studies.get(database, name)
    if study.best is None:
        raise NoCompleteTrial(name)
    return trial_out(study.best, study.definition)
