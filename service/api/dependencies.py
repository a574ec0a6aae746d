"""The parameters of routes: the database, the settings, a checked name, a page of a list."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError

from pernodedrop.near import hint
from search_spaces.shape import NAME_PATTERN
from service.settings import Settings
from service.storage.database.database import Database
from service.web.creations import Creations
from service.web.lanes import Lane, whose
from service.web.orders import MAX_NUMBER
from service.web.readiness import Readiness
from service.web.reports import Reports

P = ParamSpec("P")
T = TypeVar("T")

PREFIX = "/v1"  # of every route
MAX_PAGE = 1000
MAX_RUN = 2**63 - 1  # a Postgres bigint


def query_is_known(request: Request) -> None:
    """Check that the query has only what the route takes, and nothing twice: either would be passed over in silence.

    Raises:
        RequestValidationError: it has something else.
    """
    names = Counter(name for name, _ in request.query_params.multi_items())
    if not names:
        return
    described = request.app.openapi()["paths"][PREFIX + request.scope["route"].path][request.method.lower()]
    known = [each["name"] for each in described.get("parameters", []) if each["in"] == "query"]
    taken = f"it takes {', '.join(known)}" if known else "it takes none"
    flaws = [
        {"type": "unknown", "loc": ("query", name), "msg": f"is no parameter of this route: {taken}{hint(name, known)}"}
        for name in names
        if name not in known
    ]
    rule = "must be given once, got several values"
    flaws += [{"type": "repeated", "loc": ("query", name), "msg": rule} for name, times in names.items() if times > 1]
    if flaws:
        raise RequestValidationError(flaws)


@dataclass(frozen=True)
class Loops:
    """Where own loops are heard, on connections that no other request takes: who asks may wait for a sampler, and must
    keep nobody waiting who reports."""

    asking: Lane
    hearing: Lane
    database: Database
    key: str | None = None  # whose turn it is

    async def ask(self, call: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(database, ...)` when its turn has come; raises `Busy` where too many wait."""
        return await self.asking.run(self.key, call, self.database, *args, **kwargs)

    async def hear(self, call: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(database, ...)` when its turn has come; raises `Busy` where too many wait."""
        return await self.hearing.run(self.key, call, self.database, *args, **kwargs)


def _loops(request: Request) -> Loops:
    loops: Loops = request.app.state.loops
    return replace(loops, key=whose(request))


def _creations(request: Request) -> Creations:
    creations: Creations = request.app.state.creations
    return creations.of(request)


def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


def _database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _reports(request: Request) -> Reports:
    reports: Reports = request.app.state.reports
    return reports


CreationsOf = Annotated[Creations, Depends(_creations)]
LoopsOf = Annotated[Loops, Depends(_loops)]
ReadinessOf = Annotated[Readiness, Depends(_readiness)]
DatabaseOf = Annotated[Database, Depends(_database)]
ReportsOf = Annotated[Reports, Depends(_reports)]
SettingsOf = Annotated[Settings, Depends(_settings)]
StudyName = Annotated[str, Path(pattern=NAME_PATTERN, description="This is the study's name.", examples=["digits-1"])]
TrialNumber = Annotated[
    int, Path(ge=0, le=MAX_NUMBER, description="This is the trial's number in its study.", examples=[4])
]
ConfirmationPlace = Annotated[
    int, Path(ge=0, le=MAX_NUMBER, description="This is the run's place in the confirmation, from 0.", examples=[0])
]
WorkerId = Annotated[
    str,
    Path(
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="This is the worker's id.",
        examples=["6f1c9d5e-2b0a-4c53-9e64-1f0d2a7b8c31"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="The page has at most this many entries.")]
Offset = Annotated[int, Query(ge=0, le=MAX_NUMBER, description="The page begins after this many entries.")]
