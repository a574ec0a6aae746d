"""A study's state as its open pages get it: the whole first, then what differs, each under a number."""

import asyncio
import json
import secrets
from collections import deque
from typing import Any

from service.dashboard.study.live.difference import State, difference

KEPT_BYTES = 256 << 10  # of changes, for pages that come back; who has missed more gets the whole state

WHOLE, CHANGE, END = "state", "change", "end"  # the kinds of events


def event(kind: str, data: Any, number: str | None = None) -> bytes:
    """A server-sent event. Its data are one line, since JSON escapes line breaks."""
    named = "" if number is None else f"id: {number}\n"
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return f"{named}event: {kind}\ndata: {written}\n\n".encode()


class Channel:
    """The state, and the last changes that led to it. For one event loop; pages share the bytes that they are sent."""

    def __init__(self) -> None:
        self.state: State = {}
        self.version = 0  # 0 before the first state
        self.ended: str | None = None  # why there will be no further change
        self._mark = secrets.token_hex(4)  # a restarted dashboard counts anew, and must not be taken for this one
        self._changes: deque[bytes] = deque()  # those that led to the last versions
        self._bytes = 0
        self._whole: tuple[int, bytes] = (0, b"")
        self._news = asyncio.Event()

    def publish(self, state: State) -> None:
        """Let this be the state; pages learn what differs."""
        change = difference(self.state, state)
        if not change:
            return
        self.state, self.version = state, self.version + 1
        self._changes.append(event(CHANGE, change, self._number(self.version)))
        self._bytes += len(self._changes[-1])
        while self._bytes > KEPT_BYTES:
            self._bytes -= len(self._changes.popleft())
        self.wake()

    def end(self, why: str) -> None:
        """Let the pages know that nothing follows."""
        self.ended = why
        self.wake()

    def known_to(self, last: str) -> int:
        """The version that a page has whose last event had this number; 0 if it was another channel's."""
        mark, _, version = last.partition("-")
        known = int(version) if version.isascii() and version.isdecimal() and len(version) < 19 else 0
        return known if mark == self._mark and known <= self.version else 0

    def since(self, version: int) -> list[bytes]:
        """The events that bring a page from this version to the present one."""
        missed = self.version - version
        if missed == 0:
            return []
        if version == 0 or missed > len(self._changes):
            return [self._everything()]
        return list(self._changes)[-missed:]

    async def news(self, version: int, seconds: float) -> None:
        """Return when there is a later version than this, or an end, or after so many seconds."""
        if self.version == version and self.ended is None:
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return

    def wake(self) -> None:
        """Let all who wait for news look around."""
        self._news.set()
        self._news = asyncio.Event()

    def _everything(self) -> bytes:
        if self._whole[0] != self.version:
            self._whole = (self.version, event(WHOLE, self.state, self._number(self.version)))
        return self._whole[1]

    def _number(self, version: int) -> str:
        return f"{self._mark}-{version}"
