"""Runs several slots on one device, an agent in a thread for each, and decides their number."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from service.storage.database.database import Database
from service.storage.database.sqlstates import DATABASE_ERRORS, told
from workers.device.gpu_slots import GpuSlots
from workers.device.measurements import MEASURED_S, Measurements
from workers.device.room import Room
from workers.device.seat import Seat
from workers.device.sizing import Load, slots_wanted
from workers.runs.agent import NAP_S, Agent, Options
from workers.trial import machine
from workers.trial.devices import OpenDevice, gpus, open_device
from workers.trial.process import TrialProcess, TrialProcessDied, Watch

log = logging.getLogger(__name__)


class Slots:
    """Runs `count` agents on one device or, if it is None, as many as the measurements suggest."""

    def __init__(
        self,
        db: Database,
        options: Options,
        count: int | None = 1,
        *,
        opener: OpenDevice = open_device,
        list_gpus: Callable[[], Sequence[str]] = gpus,
        measured_s: float = MEASURED_S,
    ) -> None:
        self._db, self._options, self._count = db, options, count
        self._opener, self._list_gpus = opener, list_gpus
        self._at_most = count or max(1, machine.cores() // options.threads)
        self._room, self._measurements = Room(), Measurements(measured_s)
        self._slots: list[_Slot] = []
        self._told_to_leave = 0

    def drain(self) -> None:
        """Drain every slot, see `Agent.drain`. Safe in a signal handler."""
        self._told_to_leave += 1
        for slot in tuple(self._slots):
            slot.agent.drain()

    def run(self) -> None:
        """Work until every slot has left.

        Raises:
            TrialProcessDied: the device cannot be used at all.
            One of DATABASE_ERRORS: a GPU was to be chosen, or the worker to be registered, and the database refused.
        """
        try:
            held = GpuSlots(self._db, self._options.device, self._list_gpus(), lambda: self._told_to_leave > 0)
        except DATABASE_ERRORS as error:
            if not self._told_to_leave:
                raise
            log.warning("left before the database could be asked: %s", told(error))
            return
        try:
            for _ in range(self._count or 1):
                self._open_slot(held.device)
            while slots := self._living():
                held.hold(len(slots))
                if self._count is None and not self._told_to_leave:
                    self._resize(slots, held.device)
                time.sleep(NAP_S)
        finally:
            held.release()
        for slot in self._slots:
            if slot.error is not None:
                raise slot.error

    def _open_slot(self, device: str) -> None:
        def start(watch: Watch) -> TrialProcess:
            return TrialProcess(device, self._options.threads, opener=self._opener, watch=watch)

        slot = _Slot(Agent(self._db, self._options, Seat(self._room, self._measurements, start)))
        self._slots.append(slot)
        self._measurements.resized(len(self._slots))
        slot.start()
        for _ in range(self._told_to_leave):  # the signal came before the slot existed
            slot.agent.drain()

    def _living(self) -> list["_Slot"]:
        """The slots that work; when one of them has failed or was asked over REST to leave, all leave."""
        for slot in self._slots:
            if slot.error is not None and self._shrugs_off(slot):
                self._slots.remove(slot)
                break
        wants_out = any(slot.error is not None or slot.agent.is_draining() for slot in self._slots)
        if wants_out and not self._told_to_leave:
            self.drain()
        return [slot for slot in self._slots if slot.is_alive()]

    def _shrugs_off(self, failed: "_Slot") -> bool:
        """Return whether the others continue: a device too full for another process can keep those it has."""
        others = [slot for slot in self._slots if slot is not failed and slot.is_alive()]
        if self._count is not None or not isinstance(failed.error, TrialProcessDied) or not others:
            return False
        log.warning("no more than %d slots: %s", len(others), failed.error)
        self._at_most = len(others)
        self._measurements.resized(len(others))
        return True

    def _resize(self, slots: Sequence["_Slot"], device: str) -> None:
        if gone := [slot for slot in self._slots if slot not in slots]:
            self._slots = list(slots)
            self._measurements.resized(len(slots))
            if not all(slot.retires for slot in gone):  # the queue is empty, and a slot that finds it so leaves
                self._at_most = len(slots)
        load = self._measurements.load(self._at_most)
        if load is None or any(slot.retires for slot in slots):
            return
        wanted = slots_wanted(load)
        if wanted == len(slots):
            return
        log.info("from %d slots to %d: %s", len(slots), wanted, _in_words(load))
        if wanted > len(slots):
            self._open_slot(device)
        for slot in slots[wanted:]:
            slot.retire()


class _Slot(threading.Thread):
    """An agent's thread; `error` is what ended it, None if it has left normally."""

    def __init__(self, agent: Agent) -> None:
        super().__init__(name="slot", daemon=True)
        self.agent = agent
        self.error: Exception | None = None
        self.retires = False

    def run(self) -> None:
        try:
            self.agent.run()
        except Exception as error:
            self.error = error

    def retire(self) -> None:
        self.retires = True
        self.agent.retire()


def _in_words(load: Load) -> str:
    rates = ", ".join(f"{rate:.3g} epochs/s with {slots}" for slots, rate in sorted(load.rates.items()))
    memory = f"{load.largest / 2**20:.0f} MiB a trial at most, {load.free / 2**20:.0f} of {load.total / 2**20:.0f} free"
    busy = "" if load.utilisation is None else f", the device busy for {load.utilisation:.0%}"
    return f"{memory}{busy}; {rates}"
