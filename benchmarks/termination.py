"""SIGTERM, which `timeout` sends, as an end in order: what `with` and `finally` undo is undone, Postgres above all."""

import signal
import sys
from types import FrameType


def end_in_order() -> None:
    """From now on SIGTERM ends this process as an error would, with one line that says why; main thread only."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `timeout` may send another, which must not end the clearing up
    sys.exit("error: told to end (SIGTERM) before everything was measured: give it more time, or less to do")
