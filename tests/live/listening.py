"""An open page without a browser: reads the events of a study from the real server, as they come."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.dashboard.study.live.difference import changed

PATIENCE_S = 60.0


@dataclass
class Page:
    """What a page knows, worked out from the events as its script does."""

    lines: Iterator[str]
    state: dict[str, Any] = field(default_factory=dict)
    last: str = ""  # the number of the last event
    kinds: list[str] = field(default_factory=list)
    ended: str | None = None

    def next(self) -> str:
        """Take the next event, and return its kind; "" at the end of the stream."""
        event: dict[str, str] = {}
        for line in self.lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value
            elif "event" in event:
                break
        else:
            return ""
        self._take(event["event"], json.loads(event["data"]))
        self.last = event.get("id", self.last)
        self.kinds.append(event["event"])
        return event["event"]

    def until(self, wanted: Any) -> None:
        """Take events until `wanted(page)` is true."""
        while not wanted(self):
            assert self.next(), f"the stream has ended ({self.ended}) with {self.state}"

    def _take(self, kind: str, data: Any) -> None:
        if kind == "state":
            self.state = data
        elif kind == "change":
            self.state = changed(self.state, data)
        elif kind == "end":
            self.ended = data["why"]


@contextmanager
def page(address: str, study: str, after: str = "", **options: Any) -> Iterator[Page]:
    """An open page of the study; `after` is the last event that it had."""
    headers = {"Last-Event-ID": after} if after else {}
    timeout = httpx.Timeout(PATIENCE_S)
    with (
        httpx.Client(base_url=address, timeout=timeout, trust_env=False, **options) as client,
        client.stream("GET", f"/studies/{study}/events", headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Page(answer.iter_lines())
