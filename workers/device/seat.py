"""One slot's place on the device: its trial process, and the right to have it there."""

from collections.abc import Callable

from service.storage.records import DeviceMemory
from workers.device.measurements import Measurements
from workers.device.memory import memory_of
from workers.device.room import Room
from workers.trial.process import TrialProcess, TrialProcessDied, Watch

Start = Callable[[Watch], TrialProcess]


class Seat:
    """Holds a trial process while the room admits the slot; `start` starts one and passes its reports on."""

    def __init__(self, room: Room, measurements: Measurements, start: Start) -> None:
        self._room, self._measurements, self._start = room, measurements, start
        self._process: TrialProcess | None = None
        self._is_new = True

    @property
    def process(self) -> TrialProcess:
        """The process, after `take` has succeeded."""
        assert self._process is not None
        return self._process

    def take(self, run_id: int | None = None) -> bool:
        """Get a process on the device, for a run that may need it alone; returns False if another slot comes first.

        While another slot is to be alone, this one's process ends: an idle process holds memory, too.

        Raises:
            TrialProcessDied: the device cannot be used.
        """
        if not self._room.enter(self, run_id):
            self._measurements.interrupted()
            if self._room.must_leave(self):
                self.clear()
            return False
        return self._process is not None or self._sit_down(run_id)

    def _sit_down(self, run_id: int | None) -> bool:
        try:
            self._process = self._start(lambda heard: self._measurements.note(self, heard))
        except TrialProcessDied as death:  # a slot that never had a process is one too many
            if self._is_new or not death.out_of_memory or not self._room.ask(self):
                raise
            return False
        self._is_new = False
        self._room.started(self, run_id)
        return True

    def replace(self) -> None:
        """Replace a process that is not healthy, or that still trains a lost run.

        Raises:
            TrialProcessDied: the device cannot be used.
        """
        if self._process is not None:
            self._end_process()
            self.take()

    def idle(self) -> None:
        """Note that there is nothing to train."""
        self._measurements.interrupted()

    def memory(self) -> DeviceMemory | None:
        """The memory of the device and of this slot on it: of a CPU now, of a GPU as its process read it last.

        None before there is a reading. Safe in any thread.
        """
        process = self._process
        if process is None:
            return None
        return memory_of(process, self._measurements.last(self))

    def wants_solitude(self, run_id: int) -> bool:
        """Ask the room, see `Room.wants_solitude`."""
        return self._room.wants_solitude(run_id)

    def end_of_run(self) -> None:
        """Let others onto the device again."""
        self._room.open(self)

    def clear(self) -> None:
        """Leave the device."""
        if self._process is not None:
            self._end_process()
        self._room.leave(self)

    def _end_process(self) -> None:
        process, self._process = self.process, None
        process.kill()
        self._measurements.gone(self)
