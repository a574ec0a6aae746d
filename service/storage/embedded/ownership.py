"""The owners of a server: two locked files, so that the kernel itself drops an owner that was killed.

They are unlocked in words, not by closing: a program that is just being started has a copy of every open file.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from service.storage.embedded.account import OWN_MARK


class Ownership:
    """One holder's share of a server; any number of processes and objects may hold a share at once."""

    def __init__(self, folder: Path) -> None:
        self._turn_file = folder / OWN_MARK
        self._owners_file = folder / "owners.lock"
        self._share: IO[bytes] | None = None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other owner starts or stops the server, and keep others waiting for the block."""
        with self._turn_file.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)

    def take(self) -> bool:
        """Become an owner; returns whether we were none before. Call it within `turn`."""
        if self._share is not None:
            return False
        self._share = self._owners_file.open("ab")
        fcntl.flock(self._share, fcntl.LOCK_SH)
        return True

    def give_up(self) -> bool:
        """Stop being an owner; returns True if no owner is left. Call it within `turn`."""
        if self._share is None:
            return False
        fcntl.flock(self._share, fcntl.LOCK_UN)
        self._share.close()
        self._share = None
        with self._owners_file.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True
