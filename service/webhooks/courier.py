"""The thread of a controller that delivers what lies in the outbox, beside those of other controllers."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from service.settings import Settings
from service.storage.database.database import Database
from service.storage.database.sqlstates import told, trouble_of
from service.storage.errors import StorageError
from service.storage.webhooks import events, outbox
from service.storage.webhooks.kinds import Event
from service.storage.webhooks.records import Message
from service.web.background import Background
from service.webhooks import messages, sending
from service.webhooks.sending import Outcome

log = logging.getLogger(__name__)

LOOK_S = 1.0  # s between two looks into the outbox
AT_ONCE = 16  # messages that one controller is sending
LEASE_S = 60.0  # for a name's resolution, which nothing bounds, and the sending
LEAVE_S = 3.0  # s that a controller waits for its receivers when it ends
WATCH_S = 5.0  # s between two looks whether a worker is alive
SILENCE_S = 60.0  # s for which none must have been alive, as seen by one controller, before anybody is told
FORGET_S = 3600.0
JITTER = 0.2  # of each wait, to either side
# s to the next try: twelve tries in about a day.
WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 14400, 21600, 21600)

_Sent = tuple[Message, Outcome, float]  # and the monotonic time at which the lease ends


def wait_after(tries: int, kind: str, wanted: float = 0.0, waits: Sequence[float] = WAITS) -> float | None:
    """Seconds to the try after so many; None where that was the last one. A test is tried once."""
    if kind == Event.TEST or tries > len(waits):
        return None
    return max(waits[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER), wanted)


class Courier(Background):
    """Delivers from `with` to the end of it. A message that is being sent then is sent again by whoever is alive."""

    def __init__(
        self, db: Database, settings: Settings, *, silence_s: float = SILENCE_S, lease_s: float = LEASE_S
    ) -> None:
        super().__init__("webhooks")
        self._db, self._settings = db, settings
        self._silence_s, self._lease_s = silence_s, lease_s
        self._sent: queue.SimpleQueue[_Sent | None] = queue.SimpleQueue()
        self._unnoted: list[_Sent] = []
        self._under_way = 0
        self._silent_since: float | None = None
        self._watched = self._forgot = float("-inf")

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._sent.put(None)  # wakes it up
        super().__exit__()

    def _work(self) -> None:
        while not self._done.is_set():
            self._unnoted += self._arrived(LOOK_S)
            self._bravely(self._note)
            self._bravely(self._take)
            self._bravely(self._watch)
        until = time.monotonic() + LEAVE_S
        while self._under_way and time.monotonic() < until:
            self._unnoted += self._arrived(0.1)
        self._bravely(self._note)

    def _bravely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._silent_since = None  # who cannot ask does not know
            if trouble_of(error) is None and not isinstance(error, StorageError):
                log.exception("webhooks were not served, and are tried again")
            else:
                log.debug("webhooks wait: %s", told(error))

    def _arrived(self, seconds: float) -> list[_Sent]:
        """What has been sent, when something was or the time is over."""
        found: list[_Sent | None] = []
        with suppress(queue.Empty):
            found.append(self._sent.get(timeout=seconds))
            while True:
                found.append(self._sent.get_nowait())
        sent = [one for one in found if one is not None]
        self._under_way -= len(sent)
        return sent

    def _note(self) -> None:
        """Note what was sent; what cannot be noted while its lease lasts is sent again by the next taker."""
        while self._unnoted:
            message, outcome, until = self._unnoted[0]
            if time.monotonic() < until:
                self._note_one(message, outcome)
            self._unnoted.pop(0)

    def _note_one(self, message: Message, outcome: Outcome) -> None:
        if outcome.error is None:
            assert outcome.status is not None
            return outbox.note_delivered(self._db, message, outcome.status)
        wait = None if outcome.is_final else wait_after(message.tries, message.type, outcome.wait_s)
        if wait is None and message.type != Event.TEST:
            log.warning("webhook %d was not told of %s: %s", message.webhook_id, message.id, outcome.error)
        return outbox.note_failed(self._db, message, outcome.status, outcome.error, wait)

    def _take(self) -> None:
        free = AT_ONCE - self._under_way
        if free <= 0:
            return
        until = time.monotonic() + self._lease_s
        for message in outbox.take(self._db, free, self._lease_s):
            self._under_way += 1
            threading.Thread(target=self._send, args=(message, until), name=f"to {message.id}", daemon=True).start()

    def _send(self, message: Message, until: float) -> None:
        try:
            body = messages.body_of(message, self._settings)
            headers = messages.headers_of(message, body, time.time())
            if time.monotonic() > until - sending.TOTAL_S:  # this process stood still: another one sends it
                outcome = Outcome(None, "the controller stood still")
            else:
                outcome = sending.send(message.url, headers, body, self._settings.webhook_allow)
        except Exception as error:
            log.exception("a webhook could not be sent")
            outcome = Outcome(None, f"{type(error).__name__} in the controller: its log says more")
        self._sent.put((message, outcome, until))

    def _watch(self) -> None:
        """Look whether a worker is alive, and forget what is old."""
        now = time.monotonic()
        if now - self._watched < min(WATCH_S, self._silence_s):
            return
        self._watched = now
        if not events.is_silent(self._db):
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now
        elif now - self._silent_since >= self._silence_s:
            events.note_silence(self._db)
        if now - self._forgot >= FORGET_S:
            self._forgot = now
            outbox.forget(self._db)
