"""Measures the memory and the rate of an agent's trials, from their processes' reports."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import chain

from service.storage.assignments.progress import EpochDone
from workers.device.sizing import Load
from workers.trial.devices import Reading
from workers.trial.messages import Examined, Examining, Report, Started

REMEMBERED = 16  # trials whose memory counts: one large trial must not reduce the slots for ever
MEASURED_S = 30.0  # s of training with a number of slots before its rate counts
MEASURED_EPOCHS = 4  # a slot, also
FORGOTTEN_S = 900.0  # s after which the rate with another number of slots no longer counts: studies differ


class Measurements:
    """One agent's measurements; every slot reports from its own thread."""

    def __init__(self, measured_s: float = MEASURED_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._measured_s, self._clock = measured_s, clock
        self._lock = threading.Lock()
        self._readings: dict[object, Reading] = {}  # the last of every slot
        self._peaks: dict[object, int] = {}  # bytes, of the trials that train now
        self._past: deque[int] = deque(maxlen=REMEMBERED)  # bytes, of those that have ended
        self._last: Reading | None = None
        self._replayed: dict[object, int] = {}  # epochs of an earlier holder that are still to be reported again
        self._rates: dict[int, tuple[float, float]] = {}  # epochs/s and when that was, by the number of slots
        self._slots = 0
        self._anew()

    def resized(self, slots: int) -> None:
        """Restart the measurement, with this number of slots."""
        with self._lock:
            self._slots = slots
            self._anew()

    def interrupted(self) -> None:
        """Restart the measurement: a slot has nothing to train, and the others' rate is not that of all."""
        with self._lock:
            self._anew()

    def note(self, slot: object, heard: Report | Reading) -> None:
        """Add a report of the slot's trial process."""
        with self._lock:
            match heard:
                case Reading():
                    self._last = self._readings[slot] = heard
                    self._peaks[slot] = max(heard.peak, self._peaks.get(slot, 0))
                case Started(facts):
                    self._replayed[slot] = int(facts.get("resumed_after_epoch", 0))
                    self._hear_of(slot, epochs=0)
                case EpochDone():
                    replayed = self._replayed.get(slot, 0)
                    self._replayed[slot] = max(0, replayed - 1)
                    self._hear_of(slot, epochs=int(replayed == 0))
                case Examining() | Examined():
                    self._hear_of(slot, epochs=0)
                case _:
                    self._end(slot)

    def last(self, slot: object) -> Reading | None:
        """The slot's last reading; None before there is one, and once its process is gone."""
        with self._lock:
            return self._readings.get(slot)

    def gone(self, slot: object) -> None:
        """Forget the slot's process, which has ended with its trial."""
        with self._lock:
            self._end(slot)
            self._readings.pop(slot, None)

    def load(self, at_most: int) -> Load | None:
        """The current measurements, None before the first trial has reported its memory."""
        with self._lock:
            if self._last is None or not (self._past or self._peaks):
                return None
            young = self._clock() - FORGOTTEN_S
            return Load(
                slots=self._slots,
                at_most=at_most,
                total=self._last.total,
                free=self._last.free,
                held=sum(reading.held for reading in self._readings.values()),
                largest=max(chain(self._past, self._peaks.values())),
                utilisation=self._last.utilisation,
                rates={slots: rate for slots, (rate, at) in self._rates.items() if at > young},
            )

    def _anew(self) -> None:
        self._heard: set[object] = set()
        self._since, self._epochs = self._clock(), 0

    def _hear_of(self, slot: object, epochs: int) -> None:
        now = self._clock()
        if len(self._heard) < self._slots:  # the clock starts when every slot trains
            self._heard.add(slot)
            self._since = now
            return
        self._epochs += epochs
        seconds = now - self._since
        if seconds >= self._measured_s and self._epochs >= MEASURED_EPOCHS * self._slots:
            self._rates[self._slots] = self._epochs / seconds, now

    def _end(self, slot: object) -> None:
        if (peak := self._peaks.pop(slot, None)) is not None:
            self._past.append(peak)
