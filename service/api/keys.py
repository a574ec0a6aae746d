"""Keys: made, listed, rotated, revoked; and who the caller is."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request

from service.api.dependencies import DatabaseOf
from service.api.errors import documented
from service.api.models.access import KeyIn, KeyMade, KeyOut, Keys, RotateIn, WhoOut
from service.storage.access import keys
from service.storage.access.bounds import NAME_PATTERN
from service.storage.access.roles import Role
from service.web.access import KEY_HOLDER, caller_of
from service.web.bodies import Body, BodyRoute

router = APIRouter(tags=["access"], route_class=BodyRoute)

KeyName = Annotated[
    str, Path(pattern=NAME_PATTERN, description="This is the key's name.", examples=["alice@lab.example"])
]


@router.get("/whoami")
async def who(request: Request) -> WhoOut:
    """Say whose key this is, and what it may do."""
    caller = caller_of(request)
    modules = caller.tasks.names
    return WhoOut(name=caller.name, role=caller.role, task_modules=None if modules is None else list(modules))


@router.get("/keys")
def listing(database: DatabaseOf) -> Keys:
    """List every key without its secret; a revoked one stays, so that its name in the audit is nobody else's."""
    return Keys(keys=[KeyOut(**asdict(one)) for one in keys.listing(database)])


@router.post("/keys", status_code=201, responses=documented(408, 409, 413))
def create(wanted: Body[KeyIn], database: DatabaseOf, request: Request) -> KeyMade:
    """Make a key. The answer is the only one that has its secret, of which the database keeps a digest.

    Once the database has a key, its servers ask every caller for one: the first is an admin's.
    """
    made, secret = keys.create(
        database,
        wanted.name,
        Role(wanted.role),
        by=caller_of(request).name,
        lasts=None if wanted.lasts_s is None else timedelta(seconds=wanted.lasts_s),
        task_modules=wanted.task_modules,
        has_admin=caller_of(request) == KEY_HOLDER,
    )
    request.app.state.keyring.forget()
    return KeyMade(**asdict(made), key=secret)


@router.post("/keys/{key}/revoke", responses=documented(404, 409))
def revoke(key: KeyName, database: DatabaseOf, request: Request) -> KeyOut:
    """End the key for good. This server refuses it at once, others within 5 s, in open pages too.

    The last open key of an admin is not ended so, unless by the servers' own key.
    """
    revoked = keys.revoke(database, key, keeps_admin=caller_of(request) != KEY_HOLDER)
    request.app.state.keyring.forget()
    return KeyOut(**asdict(revoked))


@router.post("/keys/{key}/rotate", responses=documented(404, 408, 409, 413))
def rotate(key: KeyName, wanted: Body[RotateIn], database: DatabaseOf, request: Request) -> KeyMade:
    """Give the key another secret; the one before opens as long as the time of grace lasts, by default not at all."""
    made, secret = keys.rotate(database, key, timedelta(seconds=wanted.grace_s))
    request.app.state.keyring.forget()
    return KeyMade(**asdict(made), key=secret)
