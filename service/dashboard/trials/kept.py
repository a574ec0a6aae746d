"""What takes a while to make, kept for readers who ask again shortly."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The latest `most` of what was made, each for `lasting_s` seconds; one is made at a time."""

    def __init__(self, most: int, lasting_s: float) -> None:
        self._most, self._lasting_s = most, lasting_s
        self._making, self._lock = threading.Lock(), threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T], *, anew: bool = False) -> T:
        """Return what `make` returns, or returned lately for an equal key; `anew`: for no call before this one."""
        asked = time.monotonic()
        oldest = asked if anew else asked - self._lasting_s
        found = self._found(key, oldest)
        if found is None:
            with self._making:
                found = self._found(key, oldest)  # another call has just made it
                if found is None:
                    began = time.monotonic()
                    found = (began, make())
                    self._keep(key, found)
        return found[1]

    def _found(self, key: Hashable, oldest: float) -> tuple[float, T] | None:
        with self._lock:
            found = self._kept.get(key)
            return found if found is not None and found[0] >= oldest else None

    def _keep(self, key: Hashable, made: tuple[float, T]) -> None:
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
