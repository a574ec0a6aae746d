"""One task that reads the database for all open pages of a process, and none while no page is open.

It asks, and is not told by NOTIFY: a commit that notifies holds a lock of the whole server until it is on disk, so that
the epochs of fifty workers would be written one after the other, for a page that nobody may have open. A look costs the
same whatever the number of workers and pages.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from anyio import CapacityLimiter, to_thread

from service.dashboard.study.live.channel import Channel
from service.dashboard.study.live.difference import State
from service.dashboard.study.live.followed import Followed
from service.dashboard.study.live.reading import look
from service.storage.database.database import Database
from service.storage.database.sqlstates import told, trouble_of
from service.storage.errors import StorageError, UnknownStudy
from service.storage.live.pulse import id_of
from service.web.absence import Absence
from service.web.access import LOCAL, Caller
from service.web.connections import most_connections
from service.web.lanes import Busy

logger = logging.getLogger(__name__)

TICK_S = 0.5  # between the beginnings of two looks
SHARE = 4  # a look that took long is followed by a pause so many times as long: one that is slow leaves room for others
LINGERS_S = 15.0  # for which a study is followed without a page, which may be coming back
SILENT_S = 5.0  # after which a look that has no answer is no connection
ONE_IN = 2  # connections of the server that may be streams: an open one is never closed to make room
ONE_IN_OF = 8  # connections of the server that may be streams of one key or link, so that the others have theirs

DELETED, LEAVING = "deleted", "leaving"


class _Watched:
    """A study that is followed, and the pages that are open on it."""

    def __init__(self, study_id: int, name: str) -> None:
        self.name = name
        self.followed = Followed(study_id)
        self.channel = Channel()
        self.pages: Counter[str] = Counter()  # by whose they are
        self.left_at = time.monotonic()


class Watcher:
    """Follows the studies of open pages. For one event loop; it connects when the first page opens.

    `database` is its own, with one connection for the looks and one for what they read of whole studies.
    """

    def __init__(self, database: Database, absence: Absence) -> None:
        self._database, self._absence = database, absence
        self._watched: dict[str, _Watched] = {}  # by name
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._connection: sa.Connection | None = None
        self._lost_at: datetime | None = None
        self._limiter: CapacityLimiter | None = None
        self.is_leaving = False

    async def channel(self, name: str) -> Channel:
        """Return the channel of the study of this name.

        Raises:
            UnknownStudy: there is none.
            What the database raises.
        """
        if name not in self._watched:
            study_id = await to_thread.run_sync(self._id_of, name)
            if study_id is None:
                raise UnknownStudy(name)
            self._watched.setdefault(name, _Watched(study_id, name))
        self._go_on()
        return self._watched[name].channel

    def state(self, name: str) -> State | None:
        """What is known of the study now; None where it is not followed, or not with success."""
        one = self._watched.get(name)
        return one.channel.state if one is not None and self._lost_at is None and one.channel.version else None

    def enter(self, channel: Channel, caller: Caller) -> None:
        """Note that a page of the caller's is open on the channel, until `leave`.

        It is asked and noted in one step, so that no pages come in side by side.

        Raises:
            Busy: as many pages are open as this process takes, of all or of this caller.
        """
        of_each = sum((one.pages for one in self._watched.values()), Counter())
        if of_each.total() >= most_connections() // ONE_IN:
            raise Busy("too many pages are open that follow a study: close some, or reload this one to see its state")
        # Without a key all are one caller. A key's pages are counted where others might find no place beside them.
        is_short = of_each.total() >= most_connections() // ONE_IN * 3 // 4
        if is_short and caller is not LOCAL and of_each[caller.name] >= most_connections() // ONE_IN_OF:
            raise Busy(f"{caller.name} has too many pages open that follow a study: close some, or reload this one")
        self._count(channel, caller, 1)

    def leave(self, channel: Channel, caller: Caller) -> None:
        """Note that a page on the channel was closed."""
        self._count(channel, caller, -1)

    async def close(self) -> None:
        """End all channels and the task."""
        self.is_leaving = True
        for one in self._watched.values():
            one.channel.end(LEAVING)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._disconnect()
        self._database.close()

    def _count(self, channel: Channel, caller: Caller, by: int) -> None:
        for one in self._watched.values():
            if one.channel is channel:
                one.pages[caller.name] += by
                one.left_at = time.monotonic()

    def _id_of(self, name: str) -> int | None:
        with self._database.engine.connect() as connection:
            return id_of(connection, name)

    def _go_on(self) -> None:
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while self._watched:
            began = time.monotonic()
            await self._look()
            self._forget()
            took = time.monotonic() - began
            await _either(self._wake.wait, max(TICK_S - took, (SHARE - 1) * took))
            self._wake.clear()
            if not self._watched:
                await to_thread.run_sync(self._disconnect)  # meanwhile a page may have opened

    async def _look(self) -> None:
        watched = list(self._watched.values())
        reading = asyncio.create_task(
            to_thread.run_sync(
                self._read,
                [one.followed for one in watched],
                limiter=self._own_limiter(),
                abandon_on_cancel=True,  # a database that hangs must not hold up the end of the process
            )
        )
        done, _ = await asyncio.wait([reading], timeout=SILENT_S)
        if not done:
            self._lost(watched, datetime.now(UTC) - timedelta(seconds=SILENT_S))
        try:
            states, gone = await reading
        except Exception as error:
            if trouble_of(error) is None and not isinstance(error, StorageError):
                logger.exception("a look at the studies of open pages has failed")
            elif self._lost_at is None:
                logger.warning("open pages are without news: %s", told(error))
            self._lost(watched, datetime.now(UTC))
            return
        self._lost_at = None
        for one in watched:
            if one.followed.id in gone:
                one.channel.end(DELETED)
                if self._watched.get(one.name) is one:
                    del self._watched[one.name]  # another study may come to have the name
            else:
                lack = {} if self._absence.said is None else {"lack": self._absence.said}
                one.channel.publish({**states[one.followed.id], **lack})

    def _read(self, followed: list[Followed]) -> tuple[dict[int, dict[str, Any]], set[int]]:
        """One look, in a thread; its connection commits each statement, and is given up after an error."""
        try:
            if self._connection is None:
                connection = self._database.engine.connect()
                self._connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            gone = look(self._database, self._connection, followed)
        except BaseException:
            self._disconnect()
            raise
        now = datetime.now(UTC)
        return {one.id: one.state(now) for one in followed if one.id not in gone}, gone

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.invalidate()
                connection.close()
        self._database.engine.dispose()

    def _lost(self, watched: list[_Watched], since: datetime) -> None:
        self._lost_at = self._lost_at or since
        away = {"away": self._lost_at.isoformat(timespec="seconds")}
        for one in watched:
            one.channel.publish({**one.channel.state, **away})

    def _forget(self) -> None:
        """Follow no study on which no page was open for a while."""
        now = time.monotonic()
        for name, one in list(self._watched.items()):
            if one.pages.total() == 0 and now - one.left_at >= LINGERS_S:
                del self._watched[name]

    def _own_limiter(self) -> CapacityLimiter:
        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        return self._limiter


async def _either(event: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Return when the event has come, or after so many seconds."""
    try:
        await asyncio.wait_for(event(), seconds)
    except TimeoutError:
        return
