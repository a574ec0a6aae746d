"""Where studies are created and grow."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from service.storage.database.database import Database
from service.web.lanes import Lane

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Creations:
    """Where studies are created and grow: one after another, on connections of `database`."""

    lane: Lane
    database: Database

    async def run(self, call: Callable[Concatenate[Database, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(database, ...)` when its turn has come; raises `Busy` where too many wait."""
        return await self.lane.run(call, self.database, *args, **kwargs)
