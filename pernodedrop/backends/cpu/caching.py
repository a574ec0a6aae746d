"""Numba's cache of compiled kernels, which no kernel depends on: what cannot be kept or read is compiled again."""

import contextlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache

from pernodedrop.backends.base import warn_once

Function = Callable[..., Any]


class ForgivingCache(FunctionCache):
    """A function's cache. Where its folder is full, damaged or gone, the function is compiled in every process.

    A kernel has those of the other files compiled into it: it is compiled anew when any file of the folder changes.
    """

    def __init__(self, function: Function) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        self._cache_file._source_stamp = self._cache_file._source_stamp, _folder_stamp()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for a signature; None where there is none that can be read."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # whatever unpickling a damaged file raises
            with contextlib.suppress(OSError):  # an index that cannot be read would refuse every later entry
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the compiled function for other processes, if that can be done."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:  # of the disk, or of an index that another process has damaged
            reason = (str(error).strip().splitlines() or [""])[0]
            warn_once(
                f"numba cannot keep compiled kernels in {self.cache_path} ({type(error).__name__}: {reason}): every "
                "process compiles them again; NUMBA_CACHE_DIR names another folder"
            )


@cache
def _folder_stamp() -> tuple[tuple[str, float, int], ...]:
    """Name, time and size of every source file of this folder."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return tuple((file.name, (stat := file.stat()).st_mtime, stat.st_size) for file in files)


def compiled(function: Function) -> Function:
    """The function as a kernel, compiled at its first use. It makes no arrays: see `workspace`.

    Raises:
        RuntimeError: there is no folder at all that numba may write its cache to.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}
    kernel: Any = njit(**options)(function)
    kernel._cache = ForgivingCache(function)  # what `cache=True` does, which has no way to say whose cache
    return kernel  # type: ignore[no-any-return]
