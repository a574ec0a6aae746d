"""Where studies are created and grow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Concatenate, ParamSpec, TypeVar

from starlette.requests import HTTPConnection

from service.storage.database.database import Database
from service.web.lanes import Lane, whose

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Creations:
    """Where studies are created and grow: one after another, on connections of `database`."""

    lane: Lane
    database: Database
    key: str | None = None  # whose turn it is

    def of(self, connection: HTTPConnection) -> "Creations":
        """Those of the request's caller."""
        return replace(self, key=whose(connection))

    async def run(self, call: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(database, ...)` when its turn has come; raises `Busy` where too many wait."""
        return await self.lane.run(self.key, call, self.database, *args, **kwargs)
