"""Own loops: foreign code asks for a study's runs, reports their epochs and tells their ends."""

import uuid
from math import nan
from typing import Annotated

from fastapi import APIRouter, Path

from pernodedrop.scrubbing import last_lines
from service.api.dependencies import MAX_RUN, LoopsOf, StudyName
from service.api.errors import documented
from service.api.models import (
    AskIn,
    AskOut,
    LeaseIn,
    OverOut,
    RenewIn,
    ReportIn,
    TellIn,
    ToldOut,
    TrainOut,
    WaitOut,
    WordOut,
)
from service.api.records import objectives_out
from service.storage.assignments import asked, own_loop
from service.storage.assignments.asked import Over, Train, Wait
from service.storage.assignments.progress import EpochDone
from service.storage.records import Log
from service.storage.runs.held import Key
from service.web.bodies import Body, BodyRoute

router = APIRouter(tags=["own loop"], route_class=BodyRoute)

RunId = Annotated[int, Path(ge=1, le=MAX_RUN, description="This is the run's id.", examples=[12])]


@router.post("/studies/{name}/ask", responses=documented(404, 408, 409, 413))
async def ask(name: StudyName, body: Body[AskIn], loops: LoopsOf) -> AskOut:
    """Lease the study's next run to an own loop: a study whose task is external waits for nobody else.

    A run whose asker died comes first. An asker has one run at a time: one that asks while it has a run begins that
    run again, under another token.
    """
    asker = body.worker or str(uuid.uuid4())
    host, _, pid = body.holder.rpartition(":")
    given = await loops.ask(asked.ask, name, asker, host, int(pid))
    match given:
        case Wait(seconds, why):
            return WaitOut.model_validate({"worker": asker, "seconds": seconds, "why": why})
        case Over(study_state):
            return OverOut(study_state=study_state)
        case Train():
            return _train(given, asker)


def _train(given: Train, asker: str) -> TrainOut:
    lease = given.lease
    return TrainOut(
        worker=asker,
        run=lease.run_id,
        token=lease.token,
        claim=lease.claim,
        stage=lease.stage,
        number=given.number,
        params=dict(given.params),
        epochs=lease.definition.task.epochs,
        seeds=given.seeds,
        tested=given.is_tested,
        objectives=objectives_out(lease.definition),
        lease_s=own_loop.LEASE_S,
    )


@router.post("/runs/{run}/report", responses=documented(408, 409, 413))
async def report(run: RunId, body: Body[ReportIn], loops: LoopsOf) -> WordOut:
    """Record an epoch, renew the lease, and learn whether the training goes on.

    The same report again, after a lost answer, changes nothing. 409 lease_lost: another asker has the run by now.
    """
    metrics = {name: nan if value is None else value for name, value in body.metrics.items()}
    done = EpochDone(body.repeat, body.epoch, metrics)
    return _word(await loops.hear(own_loop.report, _key(run, body), done, _log(body)))


@router.post("/runs/{run}/renew", responses=documented(408, 409, 413))
async def renew(run: RunId, body: Body[RenewIn], loops: LoopsOf) -> WordOut:
    """Renew the lease in a long epoch, and learn whether the training goes on."""
    return _word(await loops.hear(own_loop.renew, _key(run, body), _log(body)))


@router.post("/runs/{run}/tell", responses=documented(408, 409, 413))
async def tell(run: RunId, body: Body[TellIn], loops: LoopsOf) -> ToldOut:
    """End the run, or hand it back for another asker. Said again, it answers the same.

    409 epochs_missing: a run is complete when every epoch of every repeat was reported.
    """
    told = await loops.hear(own_loop.tell, _key(run, body), body.state, body.reason, _log(body))
    return ToldOut.model_validate(told, from_attributes=True)


def _key(run: int, body: LeaseIn) -> Key:
    return Key(run, body.token, body.claim)


def _log(body: RenewIn) -> Log | None:
    if body.log is None:
        return None
    stdout, stderr, traceback = body.log.stdout, body.log.stderr, body.log.traceback
    written = len(stdout.encode(errors="replace")), len(stderr.encode(errors="replace"))
    return Log(last_lines(stdout), last_lines(stderr), written, None if traceback is None else last_lines(traceback))


def _word(word: own_loop.Word) -> WordOut:
    return WordOut.model_validate({"go_on": word.goes_on, "why": word.why, "reason": word.reason})
