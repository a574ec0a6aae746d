"""Links that show one study on the dashboard, to whoever has them, until they end."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request

from service.api.dependencies import MAX_RUN, DatabaseOf, SettingsOf, StudyName
from service.api.errors import documented
from service.api.models.access import ShareIn, ShareMade, ShareOut, Shares
from service.storage.access import shares
from service.web.access import caller_of
from service.web.bodies import Body, BodyRoute

router = APIRouter(prefix="/studies/{name}/shares", tags=["access"], route_class=BodyRoute, responses=documented(404))

ShareId = Annotated[int, Path(ge=1, le=MAX_RUN, description="This is the link's id.", examples=[1])]


@router.post("", status_code=201, responses=documented(408, 413))
def create(
    name: StudyName, wanted: Body[ShareIn], database: DatabaseOf, settings: SettingsOf, request: Request
) -> ShareMade:
    """Make a link to the study's page. It shows the study, its trials and its report, and lets nobody order anything.

    The answer is the only one that has the link. It is no key, and opens no other study.
    """
    lasts = timedelta(seconds=wanted.lasts_s)
    made, token = shares.create(database, name, lasts, by=caller_of(request).name)
    return ShareMade(**asdict(made), link=f"{settings.dashboard_url}/shared?token={token}")


@router.get("")
def listing(name: StudyName, database: DatabaseOf) -> Shares:
    """List the study's links without their tokens, the newest first."""
    return Shares(shares=[ShareOut(**asdict(one)) for one in shares.listing(database, name)])


@router.post("/{share}/revoke")
def revoke(name: StudyName, share: ShareId, database: DatabaseOf) -> ShareOut:
    """End a link; pages that it has opened end within 5 s."""
    return ShareOut(**asdict(shares.revoke(database, name, share)))
