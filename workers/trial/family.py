"""Processes and their descendants: what a trial started ends with it, and what it inherits is clean."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from pernodedrop import late

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_PATIENCE_S = 10.0  # for processes that the kernel does not end at once, for example in the middle of a disk's answer
# Linux whose kernel has CONFIG_PROC_CHILDREN, as distributions build it: proc(5). Else all processes are read,
# which costs each end of a trial milliseconds.
_KNOWS_CHILDREN = Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()
_SECRET = ("DATABASE_URL", "PERNODEDROP_API_KEY")
_SECRET_PREFIXES = ("PG", "POSTGRES_")  # libpq's variables, and those that containers give to a database
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment_of_trials(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the database's password and the API key, for processes that may be forked later.

    Libraries begin on one thread: a pool of threads does not survive a fork. For the same reason, to ask whether there
    is a GPU must not open it.
    """
    kept = {name: value for name, value in environment.items() if not is_secret(name) and name != late.VARIABLE}
    kept |= dict.fromkeys(_ONE_THREAD, "1")
    # Huge pages for torch's allocations: an epoch of rcv1, whose first layer has 48 million weights, took a third.
    kept.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    return kept | {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}


def is_secret(name: str) -> bool:
    """Whether the variable of this name is not for trials."""
    return name in _SECRET or name.startswith(_SECRET_PREFIXES)


def end_with(parent: int) -> None:
    """End when the process `parent`, which has forked this one, dies. Linux only; elsewhere a closed line tells."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that `end_descendants` finds it. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def go_first_when_memory_runs_out() -> None:
    """Let the kernel end a trial rather than its agent, or the database beside it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def close_all_but(*kept: int) -> None:
    """Close every file of this process but these and the standard streams."""
    first = 3
    for number in sorted(kept):
        os.closerange(first, number)
        first = number + 1
    os.closerange(first, 1 << 16)


def ancestors(pid: int) -> Iterator[int]:
    """The process and those above it, as far as they are known; nothing for one that is gone."""
    parents = {child: parent for child, parent, _ in _processes()}
    while pid in parents:
        yield pid
        pid = parents[pid]


def descendants(pid: int, but_below: Collection[int] = ()) -> set[int]:
    """The processes below this one that live, and its children that it has not reaped; those of `but_below` with all
    below them are left out."""
    if not _KNOWS_CHILDREN:
        return _found(pid, but_below, _children_among_all(pid))

    def look() -> set[int]:
        return _found(pid, but_below, lambda parent: _children(parent, even_ended=parent == pid))

    # An orphan moves up while a look goes down, to where that has been: the next look finds it there.
    return look() | look()


def _found(pid: int, but_below: Collection[int], children: Callable[[int], Collection[int]]) -> set[int]:
    found: set[int] = set()
    level = [pid]
    while level:
        level = [
            child for parent in level for child in children(parent) if child not in found and child not in but_below
        ]
        found.update(level)
    return found


def _children(pid: int, *, even_ended: bool) -> list[int]:
    """The children of a process, by what the kernel says of each of its threads; none of one that is gone."""
    said: list[bytes] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                said += _content(f"/proc/{pid}/task/{thread}/children").split()
    children = [int(child) for child in said]
    return children if even_ended else [child for child in children if _lives(child)]


def _lives(pid: int) -> bool:
    try:
        return _content(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:
        return False


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (every trial reads some)
        return file.readall()


def _children_among_all(pid: int) -> Callable[[int], Collection[int]]:
    children: dict[int, list[int]] = {}
    for child, parent, lives in _processes():  # read once: a process that is forked between two looks has no place
        if lives or parent == pid:
            children.setdefault(parent, []).append(child)
    return lambda parent: children.get(parent, [])


def end_descendants(kept: Collection[int] = (), *, with_theirs: bool = False) -> None:
    """Kill all processes below this one but `kept`, or those and all below them, and wait until none is left.

    An orphan must have been adopted to be found.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        doomed = descendants(os.getpid(), kept if with_theirs else ()) - set(kept)
        if not doomed:
            return
        for pid in doomed:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):  # no child of this process: its own parent reaps it
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.001)


def _processes() -> Iterator[tuple[int, int, bool]]:
    """Every process, its parent, and whether it lives; none where there is no /proc."""
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb", buffering=0) as stat:  # noqa: PTH123
                state, parent, *_ = stat.read().rpartition(b")")[2].split()
                yield int(name), int(parent), state not in b"ZX"
