"""Health and readiness, both without a key, for programs that monitor the service."""

from fastapi import APIRouter

from service.api.dependencies import ReadinessOf
from service.api.errors import documented
from service.api.models import Health

router = APIRouter(tags=["health"])


@router.get("/health", responses=documented(400))
async def health() -> Health:
    """Answer 200 whenever the controller runs, whatever the database does."""
    return Health()


@router.get("/ready", responses=documented(400, 503))
async def ready(readiness: ReadinessOf) -> Health:
    """Answer 200 when the database answers, takes writes, and its tables are current, else 503."""
    await readiness.check()
    return Health()
