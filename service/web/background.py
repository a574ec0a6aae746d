"""What a server does beside its requests, in a thread of its own."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Background(ABC):
    """Works from `with` to the end of it, which waits for the work that is under way."""

    def __init__(self, name: str) -> None:
        """`name` is the thread's."""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @abstractmethod
    def _work(self) -> None:
        """Work until `_done` is set."""
