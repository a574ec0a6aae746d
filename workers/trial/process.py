"""The agent's end of a slot's trial processes: gives orders, listens, and ends them."""

import contextlib
import os
import signal
import time
import weakref
from collections.abc import Callable
from multiprocessing.connection import wait

from workers.trial import family, machine
from workers.trial.channel import Channel, ChannelClosed, hand_over
from workers.trial.devices import OpenDevice, Reading, open_device
from workers.trial.messages import Gone, GoOn, Order, Ready, Report, Setup, Stop, Unready, packed, unpacked
from workers.trial.nursery import NURSERY
from workers.trial.output import Output

START_S = 120  # s to import torch and open the device, on a cold and busy machine
END_S = 15.0  # s in which a keeper ends the processes below it
TOLD_S = 10.0  # s between the end of a trial's line and the news of how its process ended

Watch = Callable[[Report | Reading], object]


class TrialProcessDied(RuntimeError):
    """The trial process ended in the middle of its work."""

    def __init__(self, message: str, *, out_of_memory: bool = False) -> None:
        super().__init__(message)
        self.out_of_memory = out_of_memory


class TrialProcess:
    """A slot's trial processes, one in training at a time; `watch` is called with all that it sends.

    Raises:
        TrialProcessDied: the device cannot be used, for example because there is none of that name.
    """

    def __init__(
        self, device: str, threads: int, *, opener: OpenDevice = open_device, watch: Watch = lambda _: None
    ) -> None:
        self._watch = watch
        self._kills: int | None = None
        self._number = 0  # of the order
        self._order: Order | None = None
        self._channel: Channel | None = None
        self.output: Output | None = None  # of the last order's trial
        self._accusation: str | None = None
        self._has_ended = False
        self._status: int | None = None  # how it has ended, if its keeper has told
        self._unready: Unready | None = None
        self._keeper: int | None = None
        self._control = NURSERY.keeper(Setup(device, threads, opener))
        try:
            ready = self._control.recv() if self._control.poll(START_S) else None
        except (EOFError, OSError):
            ready = None
        if not isinstance(ready, Ready):
            self.kill()
            raise _unusable(device, ready if isinstance(ready, Unready) else None)
        self.device, self._keeper = ready.device, ready.keeper
        _living.add(self)

    @property
    def keeper(self) -> int | None:
        """The process id of the slot's keeper, below which every process of its trials is."""
        return self._keeper

    def order(self, order: Order) -> None:
        """Begin a trial."""
        self._kills = machine.kills_for_memory()
        self._close_channel()
        self._number += 1
        self._order, self._accusation = order, None
        self._has_ended, self._status = False, None
        self._channel, theirs = Channel.pair()
        self.output = output = Output()
        with theirs, contextlib.closing(output):
            try:
                self._control.send((self._number, order))
                hand_over(self._control, [theirs.fileno(), *output.theirs])
            except OSError:
                raise self._death() from None

    def stop(self, *, keep: bool) -> None:
        """Ask the trial to end at its next epoch, with a checkpoint if `keep`."""
        assert self._channel is not None
        assert self._order is not None
        with contextlib.suppress(ChannelClosed):  # `listen` says how it ended
            self._channel.send(packed(Stop(keep), self._order))

    def go_on(self, epoch: int) -> None:
        """Let the trial train on from the rung after this epoch."""
        assert self._channel is not None
        assert self._order is not None
        with contextlib.suppress(ChannelClosed):
            self._channel.send(packed(GoOn(epoch), self._order))

    def listen(self, seconds: float) -> Report | None:
        """Return the next report, or None if none comes within `seconds`.

        Raises:
            TrialProcessDied: the process is gone; the message says how it ended.
        """
        assert self._channel is not None
        assert self._order is not None
        if self._accusation is not None:
            raise TrialProcessDied(self._accusation)
        try:
            message = self._channel.receive()
            if message is None and self._has_ended:
                raise ChannelClosed
            if message is None and self._control in wait([self._channel.fileno(), self._control], seconds):
                self._hear_the_keeper()
            message = message or self._channel.receive()
        except ChannelClosed:
            raise self._death() from None
        heard = None if message is None else unpacked(message, self._order)
        if heard is None or isinstance(heard, Stop | GoOn):
            return None
        self._watch(heard)
        return None if isinstance(heard, Reading) else heard

    def kill(self) -> None:
        """End the processes, and all that they started."""
        _living.discard(self)
        self._close_channel()
        with contextlib.suppress(EOFError, OSError):
            self._control.send(None)
            while self._control.poll(END_S):
                self._control.recv()  # up to its end
            if self._keeper is not None:
                os.kill(self._keeper, signal.SIGKILL)
        self._control.close()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _hear_the_keeper(self) -> None:
        try:
            told = self._control.recv()
        except (EOFError, OSError):
            self._has_ended = True
            return
        if isinstance(told, Unready):
            self._has_ended, self._unready = True, told
        if isinstance(told, Gone) and told.number == self._number:
            self._has_ended, self._status = True, told.status

    def _death(self) -> TrialProcessDied:
        until = time.monotonic() + TOLD_S
        while not self._has_ended and self._control.poll(max(0.0, until - time.monotonic())):
            self._hear_the_keeper()
        if self._unready is not None:
            return _unusable(self.device, self._unready)
        code = self._status
        if not self._has_ended:
            return TrialProcessDied("the trial process closed its line to the worker")
        if code is None:
            return TrialProcessDied("the trial process was killed with the one that watches it")
        if code == -signal.SIGKILL:
            return self._killed()
        if code < 0:
            return TrialProcessDied(f"the trial process died of signal {-code} ({signal.strsignal(-code)})")
        return TrialProcessDied(f"the trial process ended with exit code {code} before its trial was done")

    def _killed(self) -> TrialProcessDied:
        kills = machine.kills_for_memory()
        if kills is None or self._kills is None:
            cause = "most often the machine ran out of memory"
            return TrialProcessDied(f"the trial process was killed (signal 9): {cause}", out_of_memory=True)
        out_of_memory = kills > self._kills
        cause = "the machine ran out of memory" if out_of_memory else "by somebody, not by the kernel for memory"
        return TrialProcessDied(f"the trial process was killed (signal 9): {cause}", out_of_memory=out_of_memory)


def _unusable(device: str, unready: Unready | None) -> TrialProcessDied:
    why = unready or Unready("see the log above", out_of_memory=False)
    message = f"no trial process could be started on device {device!r}: {why.reason}"
    return TrialProcessDied(message, out_of_memory=why.out_of_memory)


_living: "weakref.WeakSet[TrialProcess]" = weakref.WeakSet()


def accuse(sender: int, number: int) -> bool:
    """Hold a signal to this worker against the trial that sent it, whose process counts as dead; returns False if no
    trial, nor a process that one has started, is the sender, as far as that is known."""
    above = set(family.ancestors(sender))
    for process in list(_living):
        if process._keeper in above:
            process._accusation = f"the trial process sent {signal.Signals(number).name} to its worker"
            return True
    return False
