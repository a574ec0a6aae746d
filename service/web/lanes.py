"""Lanes: so many calls of one kind at once, the next ones in order, and a bound on how many wait."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Exception):
    """The server works, but has no room for this request now; the message says what waits."""


class Lane:
    """At most `width` calls at once, each in a thread of its own; up to `room` further ones wait, in their order.

    Calls of one lane take no thread from another lane's. An application has its lanes in `app.state`.
    """

    def __init__(self, what: str, width: int, room: int, server: str = "controller") -> None:
        self._what, self._width, self._room, self._server = what, width, room, server
        self._here = 0  # calls that run or wait
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"the lane of {what} {id(self)}")  # one for each event loop

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `call(*args, **kwargs)` when its turn has come.

        Raises:
            Busy: as many calls wait as there is room for; nothing was done.
        """
        if self._here >= self._width + self._room:
            raise Busy(f"the {self._server} is busy: {self._room} {self._what} wait, try again shortly")
        self._here += 1
        try:
            return await to_thread.run_sync(lambda: call(*args, **kwargs), limiter=self._own_limiter())
        finally:
            self._here -= 1

    def _own_limiter(self) -> CapacityLimiter:
        try:
            return self._limiter.get()
        except LookupError:
            limiter = CapacityLimiter(self._width)
            self._limiter.set(limiter)
            return limiter
