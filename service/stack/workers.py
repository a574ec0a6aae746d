"""A worker is started again when it dies, but not when it leaves, and a server when it was killed: one bad process
should not end a study."""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from pernodedrop.door import undisturbed
from service.stack.child import Child

AWAY = 3  # the exit status of a worker that has found no database when it started
LEFT = 0  # the exit status of a worker that was asked to leave over REST
# A worker that ends so was ended by others: by a signal, which it heeds with status 4, or by one that cannot be heeded.
BY_OTHERS = (4, *(-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)))
PAUSES = (1.0, 2.0, 4.0, 8.0)  # s before each new start; then the stack gives up a worker that ends by itself
PROVEN_SECONDS = 60.0  # a worker that lived so long may die as often as a new one


class Tended(ABC):
    """One process and the number of its deaths."""

    def __init__(self, child: Child, say: Callable[[str], None]) -> None:
        self.child = child
        self._say = say
        self._deaths = 0
        self._due: float | None = None  # when to start it again

    def tend(self) -> None:
        """Start the process again if it has ended and its pause is over.

        Raises:
            ChildDied: it has ended by itself, too often for a worker.
        """
        if self._due is None:
            if not self.child.runs:
                self._look()
        elif time.monotonic() >= self._due:
            self._due = None
            with undisturbed():
                self.child.start()

    @abstractmethod
    def _look(self) -> None:
        """Decide what follows from the end of the process; raises as `tend`."""

    def _again(self) -> None:
        if self.child.age > PROVEN_SECONDS:
            self._deaths = 0
        pause = PAUSES[min(self._deaths, len(PAUSES) - 1)]
        self._deaths += 1
        self._due = time.monotonic() + pause
        self._say(f"{self.child.name} ended with status {self.child.status}, starting it again in {pause:g} s")


class TendedServer(Tended):
    """A server, which is started again where it was killed, as the kernel does for memory.

    The stack holds its listening socket: whoever calls meanwhile waits. One that ends by itself would do so again.
    """

    def _look(self) -> None:
        if self.child.status != -signal.SIGKILL:
            raise self.child.died()
        self._again()


class TendedWorker(Tended):
    """A worker. A drained one is not started again."""

    def __init__(self, child: Child, say: Callable[[str], None]) -> None:
        super().__init__(child, say)
        self._has_left = False
        self._is_away = False

    def _look(self) -> None:
        if self._has_left:
            return
        if self.child.status == LEFT:
            self._has_left = True
            self._say(f"{self.child.name} has left as it was asked to, and is not started again")
            return
        if self.child.status == AWAY:
            self._try_later()
            return
        is_proven = self.child.age > PROVEN_SECONDS
        if self._deaths >= len(PAUSES) and not is_proven and self.child.status not in BY_OTHERS:
            raise self.child.died()
        self._again()

    def _try_later(self) -> None:
        """Start the worker again without end: the database is away, and no worker is to blame."""
        if not self._is_away or self.child.age > PROVEN_SECONDS:
            self._say(f"{self.child.name} finds no database, and is started again until it does; its log says more")
        self._is_away = True
        self._due = time.monotonic() + PAUSES[-1]
