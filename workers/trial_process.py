"""The agent's end of a trial process: starts it, gives orders, listens, and ends it."""

import multiprocessing
import signal
from multiprocessing.connection import Connection

from workers import trial_main
from workers.messages import Order, Ready, Report, Stop

START_S = 120  # s for importing torch and taking the device, on a cold and busy machine


class TrialProcessDied(RuntimeError):
    """The trial process ended in the middle of its work."""


class TrialProcess:
    """A running child process that trains what it is ordered to.

    Raises:
        TrialProcessDied: the child did not come up, for example since it has no such device.
    """

    def __init__(self, device: str, threads: int) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=trial_main.main, args=(theirs, device, threads), name="trial", daemon=True
        )
        self._process.start()
        theirs.close()  # so that the child's death reads as the end of the pipe
        try:
            ready = self._pipe.recv() if self._pipe.poll(START_S) else None
        except EOFError:
            ready = None
        if not isinstance(ready, Ready):
            self.kill()
            raise TrialProcessDied(f"no trial process could be started on device {device!r}: see the log above")
        self.device = ready.device

    def order(self, order: Order) -> None:
        """Begin a trial."""
        self._send(order)

    def stop(self, *, keep: bool) -> None:
        """Ask the trial to end at its next epoch, with a checkpoint if `keep`."""
        self._send(Stop(keep))

    def listen(self, seconds: float) -> Report | None:
        """Return the next report, or None if none comes within `seconds`.

        Raises:
            TrialProcessDied: the process is gone; the message says how it went.
        """
        try:
            return self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, ConnectionResetError):
            raise TrialProcessDied(self._epitaph()) from None

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _send(self, message: Order | Stop) -> None:
        try:
            self._pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise TrialProcessDied(self._epitaph()) from None

    def _epitaph(self) -> str:
        self._process.join(10)
        code = self._process.exitcode
        if code == -signal.SIGKILL:
            return "the trial process was killed (signal 9): most often the machine ran out of memory"
        if code is not None and code < 0:
            return f"the trial process died of signal {-code} ({signal.strsignal(-code)})"
        return f"the trial process ended with exit code {code}"
