"""Each form is done once: it has a number, and what came of it is remembered and shown on the next page."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from service.reports.markup import Html, element, with_commands

MOST = 10_000  # outcomes that are remembered; the oldest are forgotten first
SHOWN_S = 30.0  # s in which a form that is sent again shows its secret again
NUMBER = "number"  # the field
DONE, AGAIN = "done", "again"  # in the query of the page that shows the outcome


@dataclass(frozen=True)
class Outcome:
    """What came of an order that was done."""

    page: str  # relative to our root
    said: str  # in a sentence or two
    study: str | None = None  # its name; None: it is about no study
    named: Mapping[str, str] = field(default_factory=dict)  # what else the order's address names
    secret: "Secret | None" = None  # that it has made


class Secret:
    """A secret on its way to the page that shows it. A form that was sent twice shows it twice, in this time alone."""

    def __init__(self, text: str) -> None:
        self.text: str | None = text
        asyncio.get_running_loop().call_later(SHOWN_S, self._forget)

    def _forget(self) -> None:
        self.text = None


def new_number() -> str:
    """A number for a form that has never been sent."""
    return secrets.token_urlsafe(16)


class Outcomes:
    """What came of the forms that were sent to this process. For one event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, asyncio.Task[Outcome]] = OrderedDict()

    async def once(self, key: str, do: Callable[[], Awaitable[Outcome]]) -> tuple[Outcome, bool]:
        """What `do` came to, and whether an earlier call for the same key has done it, or is doing it.

        Where it raises, nothing was done, and the next call does it.
        """
        task = self._known.get(key)
        if task is not None:
            return await asyncio.shield(task), True
        task = asyncio.ensure_future(do())
        self._known[key] = task
        if len(self._known) > MOST:
            self._known.popitem(last=False)
        try:
            return await asyncio.shield(task), False
        except Exception:
            self._known.pop(key, None)
            raise

    def get(self, key: str) -> Outcome | None:
        """What came of the form, if it was done and is remembered."""
        task = self._known.get(key)
        return task.result() if task is not None and task.done() and task.exception() is None else None


def key_of(number: str, *parts: str) -> str:
    """What tells a form from all others: its number, and what it says.

    The same number with other content is another order: a browser may show an old page again.
    """
    digest = hashlib.sha256()
    for part in (number, *parts):
        digest.update(len(part).to_bytes(8, "big") + part.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


def notice(request: Request) -> Html | None:
    """What came of the order that led to this page."""
    outcomes: Outcomes = request.app.state.outcomes
    outcome = outcomes.get(request.query_params.get(DONE, ""))
    if outcome is None:
        return None
    twice = " The form was sent twice, and done once." if AGAIN in request.query_params else ""
    return element("p", with_commands(outcome.said + twice), class_="notice", role="status")
