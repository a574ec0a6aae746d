"""Health and readiness, both without a key, for programs that monitor the service."""

from fastapi import APIRouter

from service.api.dependencies import ReadinessOf
from service.api.errors import documented
from service.api.models import Health, Ready
from service.web.faults import NO_ROOM

router = APIRouter(tags=["health"])


@router.get("/health", responses=documented(400))
async def health() -> Health:
    """Answer 200 whenever the controller runs, whatever the database does."""
    return Health()


@router.get("/ready", response_model_exclude_none=True, responses=documented(400, 503))
async def ready(readiness: ReadinessOf) -> Ready:
    """Answer 200 when the database answers, takes writes, and its tables are current, else 503.

    A full disk is answered 200 with the status `full`: what reads goes on, on every controller of the database, while
    orders answer 503.
    """
    has_room = await readiness.check()
    return Ready(status="ok", message=None) if has_room else Ready(status="full", message=NO_ROOM.message)
