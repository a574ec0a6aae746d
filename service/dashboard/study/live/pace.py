"""The time of an epoch of a run in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from service.storage.live.training import Point

SEEN = 3  # epochs that must have been seen to end before their times count
LAST = 10  # epochs whose own figures count until then


@dataclass(frozen=True)
class Pace:
    """When its epochs were seen to end."""

    epoch: int  # the last, over all repeats
    at: float  # time.monotonic() when it was seen
    first: int  # the first that was seen to end, and when
    first_at: float
    leased_s: float | None  # for an epoch since its holder has it

    @classmethod
    def of(cls, epoch: int, before: Self | None, *, at: float, held_s: float | None, resumed: int) -> Self:
        """The pace after an epoch; its holder has it for `held_s`, and `resumed` epochs were an earlier holder's."""
        here = epoch - resumed
        leased = None if held_s is None or here <= 0 else held_s / here
        if before is None or epoch < before.epoch:
            return cls(epoch, at, epoch, at, leased)
        return cls(epoch, at, before.first, before.first_at, leased)

    def seconds_of(self, points: Sequence[Point]) -> float | None:
        """Seconds for an epoch with all that belongs to it, as far as it is known; None before the first."""
        if self.epoch - self.first >= SEEN:
            return (self.at - self.first_at) / (self.epoch - self.first)
        timed = [point.seconds for point in points[-LAST:] if point.seconds is not None and point.epoch > 1]
        return fmean(timed) if timed else self.leased_s
