"""One child process of the stack, in its own session, with its output in a log file."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from pernodedrop import late
from service.stack.logs import for_the_owner

SHOWN_LINES = 8
PR_SET_PDEATHSIG = 1


class ChildDied(Exception):
    """A needed child has ended, or does not answer; `last_lines` are the end of its log."""

    def __init__(self, name: str, status: int | None, log: Path, last_lines: Sequence[str]) -> None:
        what = "does not answer" if status is None else f"ended with status {status}"
        super().__init__(f"the {name} {what}: see {log}")
        self.last_lines = tuple(last_lines)


class Child:
    """A program that the stack starts, watches and stops."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        sockets: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._sockets = tuple(sockets)  # file descriptors that the program inherits
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._began = False
        self._line: int | None = None  # for what it is still to be told

    def start_early(self, variables: Mapping[str, str], files: Sequence[int] = ()) -> None:
        """Start the program, which imports what it needs and then waits for what `tell` says.

        The variables and the descriptors of open files are for this start alone.
        """
        theirs, self._line = os.pipe()
        try:
            environment = {**self._environment, **variables, late.VARIABLE: str(theirs)}
            self._start(environment, (*self._sockets, *files, theirs))
        finally:
            os.close(theirs)

    def tell(self, variables: Mapping[str, str]) -> None:
        """Give the program these variables of its environment, now and at every later start."""
        self._environment |= variables
        if self._line is not None:
            with suppress(BrokenPipeError):  # it has ended, which is noticed later
                os.write(self._line, late.said(variables))
            self._hang_up()

    def start(self) -> None:
        """Start the program; its first start in this stack renames an earlier log."""
        self._start(self._environment, self._sockets)

    def _start(self, environment: Mapping[str, str], files: Sequence[int]) -> None:
        if not self._began and self.log.exists():
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))
        self._began = True
        with open(self.log, "ab", opener=for_the_owner) as output:
            self._process = subprocess.Popen(
                self._command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=files,
                start_new_session=True,  # Ctrl-C reaches only the stack, which stops its children in their order
                preexec_fn=_ends_with(os.getpid()),  # noqa: PLW1509 (no thread of ours holds a lock here)
            )
        self._started = time.monotonic()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def status(self) -> int | None:
        """The exit status of the program, None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def age(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    def terminate(self) -> None:
        """Ask the program to end, with SIGTERM."""
        self._hang_up()
        if self._process is not None and self.runs:
            self._process.terminate()

    def _hang_up(self) -> None:
        if self._line is not None:
            os.close(self._line)
            self._line = None

    def end_by(self, deadline: float) -> None:
        """Wait until `deadline` (of time.monotonic) for the end, then kill the program and its children."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def died(self) -> ChildDied:
        """Return the error for this child, with the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return ChildDied(self.name, self.status, self.log, lines[-SHOWN_LINES:])


def _ends_with(parent: int) -> Callable[[], None] | None:
    """Return the function that makes a child end when its parent is killed; the child calls it before its program.

    Only Linux has this; elsewhere the children of a killed stack stay until they are ended by hand.
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):
        return None

    def ask_for_the_signal() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # the parent was killed before
            os._exit(1)

    return ask_for_the_signal
