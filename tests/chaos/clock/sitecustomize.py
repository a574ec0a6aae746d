"""On PYTHONPATH this makes `time.time` of a process wrong by the seconds in the file CHAOS_CLOCK.

Only what Python code reads through `time.time` and `time.time_ns` jumps; `datetime.now` and programs in C go on
asking the system.
"""

import os
import time
from pathlib import Path

_FILE = Path(os.environ["CHAOS_CLOCK"])
_true_time, _true_time_ns = time.time, time.time_ns


def _shift() -> float:
    try:
        return float(_FILE.read_text() or 0)
    except OSError:
        return 0.0


time.time = lambda: _true_time() + _shift()
time.time_ns = lambda: _true_time_ns() + int(_shift() * 1e9)
