"""What a training of somebody's own says of itself, for `pernodedrop logs` and the trial's page."""

import threading
import time
import traceback

from pernodedrop.scrubbing import BYTES, last_lines

EVERY = 3.0  # s between two words that have the log with them, as workers have


class RunLog:
    """The last lines that a training has said, and the traceback that it failed with; without secrets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # the training writes, and the thread that renews sends
        self._text = ""
        self._traceback: str | None = None
        self._changed, self._sent_at = False, float("-inf")

    def write(self, text: str) -> None:
        """Add lines."""
        with self._lock:
            self._text += text if text.endswith("\n") else f"{text}\n"
            if len(self._text) > 2 * BYTES:
                self._text = last_lines(self._text)
            self._changed = True

    def raised(self, error: BaseException) -> None:
        """Keep the traceback of what the training failed with."""
        with self._lock:
            self._traceback = last_lines("".join(traceback.format_exception(error)))
            self._changed = True

    def sent(self, *, whole: bool) -> dict[str, object]:
        """What goes into the next word: all where it has changed, and is due or the last; else nothing."""
        with self._lock:
            if not self._changed or (not whole and time.monotonic() < self._sent_at + EVERY):
                return {}
            self._changed, self._sent_at = False, time.monotonic()
            return {"log": {"stdout": last_lines(self._text), "traceback": self._traceback}}
