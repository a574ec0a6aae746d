"""Something that goes on beside the test, until the end of the block."""

import abc
import threading
from typing import Self


class Background(abc.ABC):
    """Calls `turn` every `seconds` in a thread of its own, from `with` until `end` or the end of the block."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name=type(self).__name__.lower())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Return when the last turn is over; again does nothing."""
        self._over.set()
        self._thread.join()

    @abc.abstractmethod
    def turn(self) -> None:
        """One look at the world."""

    def _go_on(self) -> None:
        while not self._over.wait(self._seconds):
            self.turn()
