"""A run that this process holds: what it tells the controller, how its lease is renewed, and how it is left."""

import atexit
import os
import sys
import threading
import time
from collections.abc import Mapping
from typing import Literal

from pernodedrop.client.connection import Connection
from pernodedrop.client.errors import LeaseLost, Refused, Unreachable
from pernodedrop.client.operations import read_as
from pernodedrop.client.own_loop import Heard, Order, Told
from pernodedrop.client.patience import IN_TRAINING, logger, patiently
from pernodedrop.client.run_log import RunLog
from pernodedrop.client.wire import Steps

Ending = Literal["complete", "failed", "handed_back"]
Why = Literal["pruned", "stopped", "lost", "complete", "failed", "handed_back"]

RENEWALS = 3  # in the length of a lease
GRACE = 5.0  # s after a loop was left, in which Python says by which exception
LOOK = 0.1  # s
LONGEST_REASON = 1000  # characters, as the controller stores them
OUT_OF_ORDER, EPOCHS_MISSING = "out_of_order", "epochs_missing"  # errors that the API names so
SET_BACK = "its epochs are not in the database, which was set back"
FAREWELL = 10.0  # s that the end of a process waits for the controller

_left: set["Keeper"] = set()  # those whose loops were left, until they are settled


class Held:
    """A run and its lease. Both the training and the thread that renews read and write `ended`, which is set once."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.ended: Why | None = None
        self.reported = [0] * len(order.seeds)  # epochs of each repeat
        self.renewed_at = time.monotonic()
        self.log = RunLog()

    @property
    def called(self) -> str:
        return f"trial {self.order.number}" if self.order.stage == "search" else f"run {self.order.run}"

    @property
    def is_trained(self) -> bool:
        """Whether every epoch of every repeat is reported."""
        return all(epochs >= self.order.epochs for epochs in self.reported)

    def report(self, repeat: int, epoch: int, metrics: Mapping[str, float | None]) -> Steps[None]:
        """Report an epoch; afterwards `ended` says whether it was the last one."""
        said = {"repeat": repeat, "epoch": epoch, "metrics": dict(metrics), **self.log.sent(whole=False)}
        yield from self._heard("report", said, IN_TRAINING)
        self.reported[repeat] = epoch

    def renew(self) -> Steps[None]:
        """Renew the lease."""
        yield from self._heard("renew", self.log.sent(whole=False), 0.0)

    def tell(self, state: Ending, reason: str | None = None, limit: float = IN_TRAINING) -> Steps[Told | None]:
        """End the run, once; None where it had ended already."""
        if self.ended is not None:
            return None
        body = {
            **self._lease,
            "state": state,
            "reason": reason and reason[:LONGEST_REASON],
            **self.log.sent(whole=True),
        }
        try:
            told = yield from patiently(lambda: read_as(Told, "POST", f"runs/{self.order.run}/tell", body=body), limit)
        except Refused as error:
            if error.error == EPOCHS_MISSING and state == "complete":
                return (yield from self._set_back())
            self._is_lost(error)
            return None
        self.ended = self.ended or state
        return told

    def _set_back(self) -> Steps[Told | None]:
        """Give the run back: all of it was reported, and the controller's database has forgotten epochs of it."""
        told = yield from self.tell("handed_back", SET_BACK)
        self.ended = "lost"
        logger.warning("%s counts here no more: %s", self.called, SET_BACK)
        return told

    @property
    def _lease(self) -> dict[str, str | int]:
        return {"token": self.order.token, "claim": self.order.claim}

    def _heard(self, what: str, said: dict[str, object], limit: float) -> Steps[None]:
        path, body = f"runs/{self.order.run}/{what}", {**self._lease, **said}
        try:
            answer = yield from patiently(lambda: read_as(Heard, "POST", path, body=body), limit)
        except Refused as error:
            if error.error == OUT_OF_ORDER:  # epochs are counted here, so that they come one after another
                yield from self._set_back()
            else:
                self._is_lost(error)
            return
        self.renewed_at = time.monotonic()
        if not answer.go_on and self.ended is None:
            self.ended = answer.why or "stopped"
            logger.info("%s is %s%s", self.called, self.ended, f": {answer.reason}" if answer.reason else "")

    def _is_lost(self, error: Refused) -> None:
        """Note a lost lease; a deleted study has none.

        Raises:
            Refused: it is something else, which the training's author must mend.
        """
        if not isinstance(error, LeaseLost) and error.status != 404:
            raise error
        if self.ended is None:
            self.ended = "lost"
            logger.warning("%s counts here no more: %s", self.called, error)


class Keeper:
    """Renews the lease of a run from a thread of its own, and settles a run whose loop was left in the middle.

    A `for` loop that is left by an exception does not say by which. Python notes one that nobody catches, at the end of
    a script or of a notebook's cell, in `sys.last_value`: the run has failed with this reason. After Ctrl-C, and where
    no exception is noted, it is handed back.
    """

    def __init__(self, connection: Connection, held: Held) -> None:
        """Keep the run over this connection, which is closed at the end."""
        self._connection, self._held = connection, held
        self._process = os.getpid()
        self._wakes, self._settling = threading.Event(), threading.Lock()
        self._noted_before: BaseException | None = None
        self._is_left = False
        self._thread = threading.Thread(target=self._renew, name=f"renewal of {held.called}", daemon=True)
        self._thread.start()
        atexit.register(self.settle)

    def leave(self) -> None:
        """The loop was left: settle the run within `GRACE`, or sooner."""
        if os.getpid() == self._process:  # not in a child that has a copy of the loop
            self._noted_before, self._is_left = _noted(), True
            _left.add(self)
            self._wakes.set()

    def settle(self) -> None:
        """End the run now unless it has ended, and stop renewing it."""
        if os.getpid() == self._process:
            with self._settling:  # the end of the process waits here for a renewal's thread that is at it
                if self._held.ended is None:
                    self._tell_left()
            _left.discard(self)
        atexit.unregister(self.settle)
        self._wakes.set()

    def stop(self) -> None:
        """Stop renewing: the run has ended, or is somebody else's."""
        atexit.unregister(self.settle)
        self._wakes.set()

    def _tell_left(self) -> None:
        noted = _noted()
        raised = noted if noted is not self._noted_before else None
        state: Ending = "handed_back"
        reason: str | None = "the loop was left"
        if self._held.is_trained:
            state, reason = "complete", None
        elif raised is not None and not isinstance(raised, KeyboardInterrupt):
            state, reason = "failed", said(raised)
            self._held.log.raised(raised)
        try:
            self._connection.run(self._held.tell(state, reason, FAREWELL))
        except (Unreachable, Refused, RuntimeError) as error:  # httpx: the client is closed
            logger.warning("%s could not be ended, so its lease ends by itself: %s", self._held.called, error)
            self._held.ended = "lost"

    def _renew(self) -> None:
        interval = self._held.order.lease_s / RENEWALS
        while self._held.ended is None:
            due = self._held.renewed_at + interval - time.monotonic()
            if self._wakes.wait(max(due, LOOK)):
                break
            if self._held.renewed_at + interval <= time.monotonic():
                self._renew_once()
        if self._is_left:
            until = time.monotonic() + GRACE
            while _noted() is self._noted_before and time.monotonic() < until and self._held.ended is None:
                time.sleep(LOOK)
            self.settle()
        with self._settling:
            self._connection.close()

    def _renew_once(self) -> None:
        try:
            self._connection.run(self._held.renew())
        except Unreachable:
            time.sleep(LOOK)  # the training waits for it when it has something to report
        except (Refused, RuntimeError) as error:
            logger.warning("the lease of %s cannot be renewed: %s", self._held.called, error)
            self._held.renewed_at = time.monotonic()


def settle_left() -> None:
    """Settle what was left, before this process asks for a further run."""
    for keeper in list(_left):
        keeper.settle()


def said(reason: str | BaseException) -> str:
    """A reason in one line."""
    text = f"{type(reason).__name__}: {reason}" if isinstance(reason, BaseException) else reason
    return " ".join(text.split())


def _noted() -> BaseException | None:
    """The last exception that nobody has caught."""
    noted: BaseException | None = getattr(sys, "last_value", None)
    return noted
