"""Finds the processes of a server, and ends those that nobody else can end.

Their command line or title has its cluster name, and they work in its folder or in its data: the name alone could be
that of a server in a container, whose folder has the same path.
"""

import contextlib
import os
import signal
import time
from collections.abc import Set
from pathlib import Path

PROCESSES = Path("/proc")
Place = tuple[int, int]  # a folder's device and number: it stays the same folder when it is moved or removed
_WAYS = ((0, 2.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))  # a signal, 0 for none, and s to end after it


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


def place(folder: Path) -> Place:
    """What stays the same of a folder that is moved or removed."""
    status = folder.stat()
    return status.st_dev, status.st_ino


def end(cluster_name: str, places: Set[Place]) -> bool:
    """End the processes of a server without a postmaster that answers; returns False if some outlive everything.

    They may end by themselves at first, then they are told to leave all work to the recovery of the next start.
    """
    for number, seconds in _WAYS:
        left = _of(cluster_name, places)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + seconds
        while left and time.monotonic() < until:
            time.sleep(0.05)
            left = [pid for pid in left if _is_of(pid, cluster_name, places)] or _of(cluster_name, places)
        if not left:
            return True
    return False


def _of(cluster_name: str, places: Set[Place]) -> list[int]:
    if not PROCESSES.is_dir():
        return []
    pids = [int(entry.name) for entry in PROCESSES.iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _is_of(pid, cluster_name, places)]


def _is_of(pid: int, cluster_name: str, places: Set[Place]) -> bool:
    if not belongs(pid, cluster_name):
        return False
    try:
        return place(PROCESSES / str(pid) / "cwd") in places
    except OSError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
