"""Whether the database can be worked with, asked on a connection that no other request can hold."""

import asyncio

from anyio import CapacityLimiter, to_thread

from service.storage.database.database import Database
from service.storage.errors import DatabaseUnreachable

LONGEST_S = 5.0  # a check that takes longer has failed: the programs that ask wait little longer


class Readiness:
    """Checks a database of its own; questions that come during a check share its answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._check: asyncio.Task[bool] | None = None

    async def check(self) -> bool:
        """Return whether the database's disk has room, if it answers within `LONGEST_S`, takes writes, and its tables
        are current.

        Raises:
            DatabaseUnreachable: it does not.
            DatabaseRefuses: it answers with an error.
            SchemaOutdated: `pernodedrop db init` has not run, or another version ran it.
        """
        if self._check is None or self._check.done():
            self._check = asyncio.create_task(to_thread.run_sync(self._database.has_room, limiter=CapacityLimiter(1)))
            self._check.add_done_callback(_noted)
        check = self._check
        done, _ = await asyncio.wait([check], timeout=LONGEST_S)
        if not done:
            raise DatabaseUnreachable(f"the database did not answer within {LONGEST_S:g} s: is it running?")
        return check.result()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()


def _noted(check: asyncio.Task[bool]) -> None:
    """Take note of the error of a check that nobody waits for any more, else asyncio complains."""
    if not check.cancelled():
        check.exception()
