"""Lanes: so many calls of one kind at once, the next ones by turns of their callers, and a bound on how many wait."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from starlette.requests import HTTPConnection

from service.web.access import LOCAL, known_caller

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Exception):
    """The server works, but has no room for this request now; the message says what waits."""


def whose(connection: HTTPConnection) -> str | None:
    """The key whose places a request takes; None where all callers are one, or nobody has looked who calls."""
    caller = known_caller(connection)
    return None if caller is None or caller is LOCAL else caller.name


class Lane:
    """At most `width` calls at once, each in a thread of its own; up to `room` further ones wait.

    Keys whose calls wait take turns: each has one in every round, a key that begins to wait comes last, and a key's own
    calls are in their order. A key may have as many places as are free beside its own, so that one key alone leaves
    half of them, two leave a third, and there is always one for the next.

    Calls of one lane take no thread from another lane's. An application has its lanes in `app.state`.
    """

    def __init__(self, what: str, width: int, room: int, server: str = "controller") -> None:
        self._what, self._width, self._room, self._server = what, width, room, server
        self._here: Counter[str | None] = Counter()  # calls that run or wait, by their key
        self._turns: RunVar[_Turns] = RunVar(f"the lane of {what} {id(self)}")  # one for each event loop

    async def run(self, key: str | None, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(*args, **kwargs)` when the turn of `key` has come; None is a caller without bound of its own.

        Raises:
            Busy: as many calls wait as there is room for, of all or of this key; nothing was done.
        """
        free = self._width + self._room - self._here.total()
        if free <= 0:
            raise Busy(f"the {self._server} is busy: {self._room} {self._what} wait, try again shortly")
        if key is not None and self._here[key] >= free:
            raise Busy(
                f"the {self._server} is busy: {self._here[key]} {self._what} of {key} wait, and the other places are "
                "kept for others: send the next one when one of these is answered"
            )
        turns = self._own_turns()
        self._here[key] += 1
        try:
            await turns.begin(key)
        except BaseException:
            self._leave(key)
            raise

        def end(done: asyncio.Future[T]) -> None:
            if not done.cancelled():
                done.exception()  # nobody may wait for it any more
            turns.end()
            self._leave(key)

        # Whoever is cancelled stops waiting, but its thread cannot be stopped: the turn ends with the thread.
        called = asyncio.ensure_future(to_thread.run_sync(lambda: call(*args, **kwargs), limiter=turns.limiter))
        called.add_done_callback(end)
        return await asyncio.shield(called)

    def _leave(self, key: str | None) -> None:
        self._here[key] -= 1
        if not self._here[key]:
            del self._here[key]

    def _own_turns(self) -> "_Turns":
        try:
            return self._turns.get()
        except LookupError:
            turns = _Turns(self._width)
            self._turns.set(turns)
            return turns


class _Turns:
    """Who goes next, in one event loop."""

    def __init__(self, width: int) -> None:
        self.limiter = CapacityLimiter(width)  # never full: whoever begins has a turn
        self._free = width
        self._waiting: OrderedDict[str | None, deque[asyncio.Future[None]]] = OrderedDict()  # the next key first

    async def begin(self, key: str | None) -> None:
        """Return when it is the call's turn."""
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came at the same moment
                self.end()
            self._forget(key, turn)
            raise

    def _forget(self, key: str | None, turn: asyncio.Future[None]) -> None:
        """Leave out a call that is cancelled, which costs its key no turn."""
        calls = self._waiting.get(key, deque())
        if turn in calls:
            calls.remove(turn)
            if not calls:
                del self._waiting[key]

    def end(self) -> None:
        """Give the turn to the next call that waits."""
        while self._waiting:
            key, calls = self._waiting.popitem(last=False)
            while calls:
                turn = calls.popleft()
                if turn.cancelled():  # just now, and not yet left out
                    continue
                if calls:
                    self._waiting[key] = calls
                turn.set_result(None)
                return
        self._free += 1
