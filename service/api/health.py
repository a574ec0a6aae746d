"""Is it alive, and may it be given work? Both without a key, for whoever watches the service."""

from fastapi import APIRouter

from service.api.dependencies import DatabaseOf
from service.api.errors import documented
from service.api.models import Health

router = APIRouter(tags=["health"])


@router.get("/health", responses=documented(400))
async def health() -> Health:
    """200 whenever the controller runs, whatever the database does."""
    return Health()


@router.get("/ready", responses=documented(400, 503))
def ready(database: DatabaseOf) -> Health:
    """200 when the database answers and its tables are current, else 503."""
    database.check()
    return Health()
