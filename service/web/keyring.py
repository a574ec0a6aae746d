"""The database's keys and links as servers look them up: an answer counts for seconds, so a revoked key ends then."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from search_spaces.task_modules import TaskModules
from service.storage.access import keys, shares
from service.storage.access.keys import Found
from service.storage.access.roles import Role
from service.storage.access.shares import Opened
from service.storage.database.database import Database
from service.storage.database.plainly import plainly
from service.storage.errors import StorageError
from service.web.access import Caller
from service.web.lanes import Busy, Lane

T = TypeVar("T")

KEPT_S = 5.0  # s for which an answer of the database counts: a revoked key opens no longer than this
MOST_KEPT = 4096  # answers
AWAY_S = 0.5  # s
AT_ONCE, WAITING = 2, 512  # look-ups


@dataclass(frozen=True)
class _Kept:
    until: float
    answer: Any


class Keyring:
    """Looks keys and links up, on connections that no page takes: a busy server still knows who calls.

    For one event loop.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lane = Lane("look-ups of keys", AT_ONCE, WAITING)
        self._kept: OrderedDict[tuple[str, bytes], _Kept] = OrderedDict()
        self._asking = asyncio.Lock()
        self._away_until = 0.0
        self._asks = False  # whether a key was ever seen: it stays so while the database is away

    async def key(self, digest: bytes) -> Found | None:
        """The key whose secret has this digest; None: no key has it.

        Raises:
            DatabaseUnreachable: the database is away, and did not answer this within the last `KEPT_S`.
            Busy: too many look-ups wait.
        """
        return await self._look("key", digest, lambda: keys.find(self._database, digest))

    async def link(self, digest: bytes) -> Opened | None:
        """What the link shows whose token has this digest; None: it has ended or is none. Raises as `key`."""
        return await self._look("link", digest, lambda: shares.find(self._database, digest))

    async def are_there(self) -> bool:
        """Whether the database has keys, so that the server asks for one. Raises as `key`, unless it is known."""
        if not self._asks:
            self._asks = await self._look("any", b"", lambda: keys.are_there(self._database))
        return self._asks

    async def may_be_there(self) -> bool:
        """`are_there`; while the database never answered, only callers of this machine come, and find nothing.

        One call asks a database that is away, and the others hear its answer for `AWAY_S`.
        """
        async with self._asking:
            if not self._asks and monotonic() < self._away_until:
                return False
            try:
                return await self.are_there()
            except Busy:
                return True
            except StorageError:
                self._away_until = monotonic() + AWAY_S
                return False

    def are_there_now(self) -> bool:
        """Whether the database answers and has keys, for a server that starts."""
        try:
            return _plain(lambda: keys.are_there(self._database))
        except StorageError:
            return False

    def forget(self) -> None:
        """Ask the database again for everything: a key was made or ended by this server."""
        self._kept = OrderedDict()  # from any thread

    async def _look(self, kind: str, digest: bytes, ask: Callable[[], T]) -> T:
        answers = self._kept  # what is asked before `forget` is not kept after it
        kept = answers.get((kind, digest))
        if kept is not None and monotonic() < kept.until:
            known: T = kept.answer
            return known
        until = monotonic() + KEPT_S  # counted from before the question
        answer = await self._lane.run(None, _plain, ask)
        answers[kind, digest] = _Kept(until, answer)
        answers.move_to_end((kind, digest))
        if len(answers) > MOST_KEPT:
            answers.popitem(last=False)
        return answer


def caller_by(found: Found) -> Caller:
    """Who calls with an open key."""
    names = None if found.role is Role.ADMIN else found.task_modules
    return Caller(found.name, found.role, TaskModules(names))


def caller_by_link(opened: Opened) -> Caller:
    """Who calls with an open link."""
    return Caller(f"share {opened.share}", Role.READ, TaskModules(()), study=opened.study)


def _plain(ask: Callable[[], T]) -> T:
    with plainly():
        return ask()
