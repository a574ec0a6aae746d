"""Trials an hour of some trial processes on one device, fed from one queue of orders."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from queue import SimpleQueue
from statistics import mean

from benchmarks.gpu.conducting import LISTEN_S, TrialFailed, reason
from benchmarks.gpu.processes import Watched
from service.storage.assignments.progress import EpochDone
from workers.trial.messages import Finished, Order, Started, Stopped

LATE_S = 30.0  # for a trial to end its epoch when the time is over


class Line:
    """Orders that wait for a process; each goes back to the end, so that the line never ends."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._waiting: SimpleQueue[Order] = SimpleQueue()
        for order in orders:
            self._waiting.put(order)

    def next(self) -> Order:
        """The one that waits longest."""
        order = self._waiting.get()
        self._waiting.put(order)
        return order


def warm(threads: ThreadPoolExecutor, pool: Sequence[Watched], orders: Sequence[Order]) -> None:
    """Let every process train an epoch of every order: data are loaded, kernels are compiled."""
    begun = [threads.submit(_begin_each, watched, orders) for watched in pool]
    for each in begun:
        each.result()


def trials_an_hour(
    threads: ThreadPoolExecutor, pool: Sequence[Watched], orders: Sequence[Order], seconds: float
) -> tuple[float, float | None]:
    """Of all processes of the pool together, and how busy the device was meanwhile where it tells, from 0 to 1."""
    for watched in pool:
        watched.readings.clear()
    line, until = Line(orders), time.monotonic() + seconds
    rates = [each.result() for each in [threads.submit(_epochs_a_second, watched, line, until) for watched in pool]]
    shares = [reading.utilisation for watched in pool for reading in watched.readings]
    told = [share for share in shares if share is not None]
    return sum(rates) / orders[0].task.epochs * 3600, mean(told) if told else None


def _epochs_a_second(watched: Watched, line: Line, until: float) -> float:
    """Of one process up to its last epoch before `until`, with what lies between its trials."""
    began = time.monotonic()
    ends: list[float] = []
    while time.monotonic() < until:
        ends += _ends_of_epochs(watched, line.next(), until)
    if not ends:
        raise TrialFailed("a process must train an epoch in the time, it did not: give the part more")
    return len(ends) / (ends[-1] - began)


def _begin_each(watched: Watched, orders: Sequence[Order]) -> None:
    for order in orders:
        _ends_of_epochs(watched, order, time.monotonic() + LATE_S, most=1)


def _ends_of_epochs(watched: Watched, order: Order, until: float, most: float = inf) -> list[float]:
    """Train the trial until it ends, or `until`, or for as many epochs; when each of them was heard of."""
    process, ends, told = watched.process, list[float](), False
    process.order(order)
    while True:
        match process.listen(LISTEN_S):
            case None | Started():
                pass
            case EpochDone():
                if not told and time.monotonic() < until:
                    ends.append(time.monotonic())
            case Finished() | Stopped():
                return ends
            case failed:
                raise TrialFailed(f"a trial must finish, it ended with {reason(failed)}")
        now = time.monotonic()
        if not told and (now >= until or len(ends) >= most):
            process.stop(keep=False)
            told = True
        if now > until + LATE_S:
            raise TimeoutError(f"a trial must end its epoch within {LATE_S:g} s, it did not: train fewer samples")
