"""The owners of a server: two locked files, so that the kernel itself drops an owner that was killed.

They are unlocked in words, not by closing: a program that is just being started has a copy of every open file.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from service.storage.embedded.account import Account


class Ownership:
    """One holder's share of a server; any number of processes and objects may hold a share at once."""

    def __init__(self, folder: Path) -> None:
        self._turn_file = folder / "turn.lock"
        self._owners_file = folder / "owners.lock"
        self._share: IO[bytes] | None = None

    @contextmanager
    def turn(self, account: Account) -> Iterator[None]:
        """Wait until no other owner starts or stops the server, and keep others waiting for the block.

        The file belongs to the server's account, so that its user may be the next owner after root.
        """
        while True:
            with self._turn_file.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is_at(file, self._turn_file):  # a first start that failed has removed it meanwhile
                    continue
                account.own(self._turn_file)
                try:
                    yield
                finally:
                    fcntl.flock(file, fcntl.LOCK_UN)
                return

    @property
    def has_gone(self) -> bool:
        """Whether the folder of our share was moved or removed."""
        return self._share is not None and not _is_at(self._share, self._owners_file)

    def take(self, account: Account) -> bool:
        """Become an owner; returns whether we were none before. Call it within `turn`."""
        if self._share is not None:
            return False
        self._share = self._owners_file.open("ab")
        account.own(self._owners_file)
        fcntl.flock(self._share, fcntl.LOCK_SH)
        return True

    def give_up(self) -> bool:
        """Stop being an owner; return True if no owner is left. Call it within `turn` unless the folder has gone."""
        if self._share is None:
            return False
        fcntl.flock(self._share, fcntl.LOCK_UN)
        try:
            fcntl.flock(self._share, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(self._share, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        finally:
            self._share.close()
            self._share = None
        return True


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError:
        return False
