"""Shares the parts of one piece of work among torch's own threads.

torch's threads wait in a loop for some milliseconds after each of its operations. Other threads find the cores busy:
with two cores, a second pool gained nothing. So the work goes to the threads that hold the cores.
Numba's threading layers do not help: they differ between machines, one must not be entered twice and another must not
be forked.
"""

import ctypes
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch

Part = TypeVar("Part")

_PROCESS = os.getpid()
_Entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def each(work: Callable[[Part], None], parts: Sequence[Part]) -> None:
    """Calls `work` with every part, which should release the interpreter's lock; raises a call's first exception."""
    if len(parts) == 1:
        work(parts[0])
        return
    left, failures = deque(parts), list[BaseException]()

    def serve(_: object = None) -> None:
        try:
            while left:
                work(left.popleft())
        except IndexError:  # another thread took the last part
            return
        except BaseException as failure:  # an exception raised into a foreign thread is lost
            failures.append(failure)

    openmp = _openmp() if os.getpid() == _PROCESS else None  # a forked child has neither these threads nor a pool
    if openmp is not None:
        openmp(_Entry(serve), None, len(parts), 0)
    else:
        others = [_pool(len(parts) - 1).submit(serve) for _ in parts[1:]]
        serve()
        for other in others:
            other.result()
    if failures:
        raise failures[0]


@cache
def _openmp() -> Callable[..., Any] | None:
    """GCC's entry to a parallel region, in the library that torch itself calls; LLVM's has it under this name too."""
    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib"):
        try:
            library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name))
            return library.GOMP_parallel
        except (OSError, AttributeError):
            continue
    return None


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="pernodedrop")


os.register_at_fork(after_in_child=_pool.cache_clear)
