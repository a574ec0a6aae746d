"""The trainings of a study, one after another: what `trials_to_train` gives a loop of somebody's own."""

import os
import re
import socket
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Generic

from pernodedrop.client.connection import AsyncConnection, Connection
from pernodedrop.client.errors import Refused
from pernodedrop.client.holding import Held, Keeper, settle_left
from pernodedrop.client.operations import path_of
from pernodedrop.client.own_loop import Order, Over, Waiting
from pernodedrop.client.patience import logger, patiently
from pernodedrop.client.reading import read
from pernodedrop.client.training import AnyConnection, AsyncTraining, Training
from pernodedrop.client.wire import Malformed, Pause, Request, Steps, json_of

UNKNOWN_STUDY = "unknown_study"  # an error that the API names so

_idle: dict[tuple[int, str, str], list[str]] = {}  # ids of loops that are over, by process, controller and study

_KINDS: Mapping[str, type[Order | Waiting | Over]] = {"train": Order, "wait": Waiting, "ended": Over}


class AnyTrainings(Generic[AnyConnection]):
    """Asks for a run, gives its trainings one by one, ends it, and asks again until the study has ended."""

    def __init__(self, connection: AnyConnection, name: str) -> None:
        self._connection: AnyConnection = connection
        self._name = name
        self._who = os.getpid(), connection.url, name
        self._worker = (_idle.get(self._who) or [str(uuid.uuid4())]).pop()
        self._held: Held | None = None
        self._keeper: Keeper | None = None
        self._repeat = 0
        self._has_asked = False  # a study that has answered once was there

    def close(self) -> None:
        """Leave the loop: a run that is not trained to its end is handed back."""
        if self._keeper is not None:
            self._keeper.settle()
            self._held, self._keeper = None, None

    def __del__(self) -> None:
        if self._keeper is not None:  # the loop was left, and who knows by what
            self._keeper.leave()
        _idle.setdefault(self._who, []).append(self._worker)

    def _following(self) -> Steps[tuple[Held, int] | None]:
        """The next training; None once the study has ended."""
        if self._held is not None:
            if self._held.ended is None and not self._is_reported(self._held):
                done = self._held.reported[self._repeat]
                reason = f"its loop ended after {done} of {self._held.order.epochs} epochs"
                logger.warning("%s has failed: %s", self._held.called, reason)
                yield from self._held.tell("failed", reason)
            if self._held.ended is None and self._repeat + 1 < len(self._held.order.seeds):
                self._repeat += 1
                return self._held, self._repeat
            yield from self._held.tell("complete")
            self._let_go()
        settle_left()
        order = yield from self._asked()
        if order is None:
            return None
        self._held, self._repeat = Held(order), 0
        self._keeper = Keeper(Connection(self._connection.controller), self._held)
        return self._held, 0

    def _is_reported(self, held: Held) -> bool:
        return held.reported[self._repeat] >= held.order.epochs

    def _let_go(self) -> None:
        if self._keeper is not None:
            self._keeper.stop()
        self._held, self._keeper = None, None

    def _asked(self) -> Steps[Order | None]:
        while True:
            try:
                answer = yield from patiently(self._ask)
            except Refused as error:
                if error.error != UNKNOWN_STUDY or not self._has_asked:
                    raise
                logger.warning("%s: it was deleted, so the loop ends", error)
                return None
            self._has_asked = True
            if isinstance(answer, Over):
                return None
            if isinstance(answer, Order):
                return answer
            yield Pause(answer.seconds)

    def _ask(self) -> Steps[Order | Waiting | Over]:
        host = re.sub("[^A-Za-z0-9._-]", "-", socket.gethostname()) or "nameless"
        body = {"holder": f"{host[:200]}:{os.getpid()}", "worker": self._worker}
        answer = json_of((yield Request("POST", path_of(self._name, "ask"), body=body)))
        kind = _KINDS.get(str(answer.get("state"))) if isinstance(answer, dict) else None
        if kind is None:
            raise Malformed
        return read(kind, answer)


class Trainings(AnyTrainings[Connection], Iterator[Training]):
    """Asks for a run, gives its trainings one by one, ends it, and asks again until the study has ended."""

    def __next__(self) -> Training:
        following = self._connection.run(self._following())
        if following is None:
            raise StopIteration
        return Training(self._connection, *following)


class AsyncTrainings(AnyTrainings[AsyncConnection], AsyncIterator[AsyncTraining]):
    """The same for `async for`."""

    async def __anext__(self) -> AsyncTraining:
        following = await self._connection.run(self._following())
        if following is None:
            raise StopAsyncIteration
        return AsyncTraining(self._connection, *following)
