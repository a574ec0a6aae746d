"""When a stage of a study will end, from what has ended, what is in training and who is at work."""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

NORMAL = 1.645  # standard errors on both sides of the interval: nine in ten, if the trials to come are like the others
FEW = 5  # ended trials below which their spread says little, so that half of their mean is taken at least
EXACT = 5_000  # waiting trials up to which each is given to a worker; for more the sum is as good
PACE = (0.9, 1.15)  # between which the time of a running trial's last epochs is trusted


@dataclass(frozen=True)
class Running:
    """A trial in training."""

    spent_s: float  # so far
    left_s: float | None  # by its epochs to come and the time of one; None while no epoch was timed


@dataclass(frozen=True)
class Work:
    """What is left of a stage."""

    ended_s: Sequence[float]  # for which the last trials that ended were trained
    running: Sequence[Running]
    waiting: int  # trials that have not begun
    workers: int  # that are at work on it
    is_pruned: bool  # whether trials may end before their last epoch


@dataclass(frozen=True)
class Estimate:
    """Seconds from now to the end."""

    expected_s: float
    earliest_s: float
    latest_s: float


def estimate(work: Work) -> Estimate | None:
    """The end, and between what it probably lies; None where no trial has ended and no epoch was timed, or where
    trials wait and nobody is at work."""
    workers = max(work.workers, len(work.running))
    lefts = [_left_s(one, work) for one in work.running]
    known = [left for left in lefts if left is not None]
    mean = _mean_s(work)
    if mean is None or workers == 0 or len(known) < len(lefts):
        return None
    spread = _spread_s(work, mean)
    uncertain = NORMAL * spread * math.sqrt(1 / max(1, work.waiting) + 1 / max(1, len(work.ended_s)))
    low, high = PACE
    last = min(workers, work.waiting)  # of so many that end about together, the longest is the end
    straggler = spread * math.sqrt(2 * math.log(last)) if last > 1 else 0.0
    return Estimate(
        _end_s(known, work.waiting, mean, workers) + straggler,
        _end_s([low * left for left in known], work.waiting, max(0.1 * mean, mean - uncertain), workers),
        _end_s([high * left for left in known], work.waiting, mean + uncertain, workers) + 2 * straggler,
    )


def _left_s(one: Running, work: Work) -> float | None:
    """By its epochs, or sooner where the pruner may end it: as trials did that had come as far."""
    longer = [seconds - one.spent_s for seconds in work.ended_s if seconds > one.spent_s]
    by_others = fmean(longer) if longer else None
    if one.left_s is None:
        return by_others
    may_be_sooner = work.is_pruned and by_others is not None and len(longer) >= FEW
    return min(one.left_s, by_others) if may_be_sooner and by_others is not None else one.left_s


def _mean_s(work: Work) -> float | None:
    """What a trial takes; while none has ended, what those in training will have taken."""
    whole = [one.spent_s + one.left_s for one in work.running if one.left_s is not None]
    of_which = work.ended_s or whole
    return fmean(of_which) if of_which else None


def _spread_s(work: Work, mean: float) -> float:
    measured = stdev(work.ended_s) if len(work.ended_s) > 1 else 0.0
    return max(measured, mean / 2) if len(work.ended_s) < FEW else measured


def _end_s(lefts: Sequence[float], waiting: int, each_s: float, workers: int) -> float:
    """When the last trial ends if every worker takes the next one at once."""
    if waiting > EXACT:
        return max([(sum(lefts) + waiting * each_s) / workers, *lefts])
    free = [*lefts, *[0.0] * (workers - len(lefts))]
    heapq.heapify(free)
    for _ in range(waiting):
        heapq.heapreplace(free, free[0] + each_s)
    return max(free)
