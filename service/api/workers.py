"""The workers that the database knows."""

from fastapi import APIRouter

from service.api.dependencies import DatabaseOf, WorkerId
from service.api.errors import documented
from service.api.models import Workers
from service.api.records import worker_out
from service.storage.fleet import workers

router = APIRouter(tags=["workers"])


@router.get("/workers")
def alive(database: DatabaseOf) -> Workers:
    """List the workers that were seen lately, and what each one trains."""
    return Workers(workers=[worker_out(worker) for worker in workers.alive(database)])


@router.post("/workers/{worker}/drain", status_code=204, responses=documented(404))
def drain(worker: WorkerId, database: DatabaseOf) -> None:
    """Ask a worker to leave, as SIGTERM does: it hands its trial back with a checkpoint and ends within seconds."""
    workers.drain(database, worker)
