"""The folder of one stack's logs, which no other stack of the same home writes to or moves."""

import contextlib
import fcntl
import itertools
import os
import shutil
from pathlib import Path
from typing import IO


def for_the_owner(path: str, flags: int) -> int:
    """An `opener` for `open`: a file that is new is for its owner alone."""
    return os.open(path, flags, 0o600)


class LogFolder:
    """`home/logs`, or `home/logs-2` and so on while other stacks of this home use the ones before.

    The claim is a locked file, so that the kernel drops it with a stack that was killed. Logs may hold what a task
    prints: the folder is for its owner alone.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "logs"
        self._home = home
        self._claim: IO[bytes] | None = None
        self.is_new = False  # whether `claim` has made it

    def claim(self) -> None:
        """Make `path` the first folder that no other stack uses, until `release`.

        Raises:
            OSError: the home takes no folder; the message is one line with the remedy.
        """
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)  # one that is there stays as it is
            self._claim_first()
        except OSError as error:
            reason = error.strerror or error
            raise OSError(f"{self._home} cannot be used ({reason}): set PERNODEDROP_HOME to another folder") from error

    def _claim_first(self) -> None:
        for number in itertools.count(1):
            path = self._home / ("logs" if number == 1 else f"logs-{number}")
            self.is_new = not path.exists()
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)  # an earlier release made it readable for all
            claim = open(path / "in-use.lock", "ab", opener=for_the_owner)  # noqa: SIM115
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                claim.close()
                continue
            self.path, self._claim = path, claim
            return

    def remove(self) -> None:
        """Remove the folder and what is in it, of a stack that could not start."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # others use it
            self._home.rmdir()

    def release(self) -> None:
        """Leave the folder to the next stack."""
        if self._claim is not None:
            fcntl.flock(self._claim, fcntl.LOCK_UN)  # closing leaves it to a child that is just being started
            self._claim.close()
            self._claim = None
