"""Who ordered what, and when: of one study, or of all, deleted ones too."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from search_spaces.shape import NAME_PATTERN
from service.api.dependencies import DatabaseOf, Limit, Offset, StudyName
from service.api.errors import documented
from service.api.models.access import DeedOut, DeedPage
from service.storage.access import deeds
from service.storage.database.database import Database
from service.storage.studies import studies

router = APIRouter(tags=["access"])

OfStudy = Annotated[
    str | None,
    Query(pattern=NAME_PATTERN, description="The page has only orders of studies of this name.", examples=["digits-1"]),
]


@router.get("/studies/{name}/audit", responses=documented(404))
def of_study(name: StudyName, database: DatabaseOf, limit: Limit = 100, offset: Offset = 0) -> DeedPage:
    """List who ordered what of the study, the newest first; an earlier study of the same name counts too."""
    studies.get(database, name)
    return _page(database, name, limit, offset)


@router.get("/audit")
def listing(database: DatabaseOf, limit: Limit = 100, offset: Offset = 0, study: OfStudy = None) -> DeedPage:
    """List who ordered what, the newest first: of every study, deleted ones too, and of keys and workers."""
    return _page(database, study, limit, offset)


def _page(database: Database, study: str | None, limit: int, offset: int) -> DeedPage:
    page, total = deeds.page(database, study, limit, offset)
    return DeedPage(deeds=[DeedOut(**asdict(one)) for one in page], total=total)
