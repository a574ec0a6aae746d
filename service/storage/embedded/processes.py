"""Finds the processes of a server: their command line or title has its cluster name."""

import os
import time
from pathlib import Path

PROCESSES = Path("/proc")


def belongs(pid: int, cluster_name: str) -> bool:
    """Whether process `pid` lives and is part of that server: a number is reused, a cluster name is not.

    A killed postmaster that was not reaped still has its number, but no command line.
    """
    if not PROCESSES.is_dir():  # without /proc the number alone must do
        return _lives(pid)
    try:
        return cluster_name.encode() in (PROCESSES / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def wait_until_gone(cluster_name: str, seconds: float) -> bool:
    """Wait for the last processes of a server whose postmaster died; returns False if some outlive `seconds`."""
    end = time.monotonic() + seconds
    while any(belongs(pid, cluster_name) for pid in _all_pids()):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _all_pids() -> list[int]:
    if not PROCESSES.is_dir():
        return []
    return [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdigit()]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
