"""The agent's end of a trial process: starts it, gives orders, listens, and ends it."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from workers.trial import machine
from workers.trial import main as trial_main
from workers.trial.devices import OpenDevice, Reading, open_device
from workers.trial.messages import Order, Ready, Report, Stop, Unready

START_S = 120  # s to import torch and open the device, on a cold and busy machine

Watch = Callable[[Report | Reading], object]


class TrialProcessDied(RuntimeError):
    """The trial process ended in the middle of its work."""

    def __init__(self, message: str, *, out_of_memory: bool = False) -> None:
        super().__init__(message)
        self.out_of_memory = out_of_memory


class TrialProcess:
    """A running child process that carries out orders; `watch` is called with all that it sends.

    Raises:
        TrialProcessDied: the child did not start, for example because there is no such device.
    """

    def __init__(
        self, device: str, threads: int, *, opener: OpenDevice = open_device, watch: Watch = lambda _: None
    ) -> None:
        self._watch = watch
        self._kills: int | None = None
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._pipe: Connection
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=trial_main.main, args=(theirs, device, threads, opener), name="trial", daemon=True
        )
        self._process.start()
        theirs.close()  # so that the child's death ends the pipe
        try:
            ready = self._pipe.recv() if self._pipe.poll(START_S) else None
        except EOFError:
            ready = None
        if not isinstance(ready, Ready):
            self.kill()
            why = ready if isinstance(ready, Unready) else Unready("see the log above", out_of_memory=False)
            message = f"no trial process could be started on device {device!r}: {why.reason}"
            raise TrialProcessDied(message, out_of_memory=why.out_of_memory)
        self.device = ready.device

    def order(self, order: Order) -> None:
        """Begin a trial."""
        self._kills = machine.kills_for_memory()
        self._send(order)

    def stop(self, *, keep: bool) -> None:
        """Ask the trial to end at its next epoch, with a checkpoint if `keep`."""
        self._send(Stop(keep))

    def listen(self, seconds: float) -> Report | None:
        """Return the next report, or None if none comes within `seconds`.

        Raises:
            TrialProcessDied: the process is gone; the message says how it ended.
        """
        try:
            heard = self._pipe.recv() if self._pipe.poll(seconds) else None
        except (EOFError, ConnectionResetError):
            raise self._death() from None
        if heard is None:
            return None
        self._watch(heard)
        return None if isinstance(heard, Reading) else heard

    def kill(self) -> None:
        """Kill the process at once."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _send(self, message: Order | Stop) -> None:
        try:
            self._pipe.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def _death(self) -> TrialProcessDied:
        self._process.join(10)
        code = self._process.exitcode
        if code == -signal.SIGKILL:
            return self._killed()
        if code is not None and code < 0:
            return TrialProcessDied(f"the trial process died of signal {-code} ({signal.strsignal(-code)})")
        return TrialProcessDied(f"the trial process ended with exit code {code}")

    def _killed(self) -> TrialProcessDied:
        kills = machine.kills_for_memory()
        if kills is None or self._kills is None:
            cause = "most often the machine ran out of memory"
            return TrialProcessDied(f"the trial process was killed (signal 9): {cause}", out_of_memory=True)
        out_of_memory = kills > self._kills
        cause = "the machine ran out of memory" if out_of_memory else "by somebody, not by the kernel for memory"
        return TrialProcessDied(f"the trial process was killed (signal 9): {cause}", out_of_memory=out_of_memory)
