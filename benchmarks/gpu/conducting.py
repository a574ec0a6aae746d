"""Trials in trial processes, ordered and heard without a queue or a database."""

import time
from collections.abc import Iterator

import torch

from service.storage.assignments.progress import EpochDone
from workers.trial.messages import Failed, Finished, Order, Report, Started
from workers.trial.process import TrialProcess

LISTEN_S = 0.1


class TrialFailed(RuntimeError):
    """A trial that was to be trained was not."""


def name_of(device: torch.device) -> str:
    """The device as a trial process is told it."""
    return "cpu" if device.type == "cpu" else f"cuda:{device.index or 0}"


def reports(process: TrialProcess, order: Order, until: float) -> Iterator[Report]:
    """Order the trial and yield what is said of it, up to its last report.

    Raises:
        TimeoutError: it still went on at `until` (of time.monotonic).
        TrialProcessDied: the process is gone.
    """
    process.order(order)
    while True:
        report = process.listen(LISTEN_S)
        if report is not None:
            yield report
            if not isinstance(report, Started | EpochDone):
                return
        if time.monotonic() > until:
            raise TimeoutError("a trial must end within the part's time, it still goes on: give the part more")


def trained(process: TrialProcess, order: Order, until: float) -> tuple[Started, list[EpochDone]]:
    """Train the whole trial; what it said.

    Raises:
        TrialFailed: it ended otherwise.
        As `reports`.
    """
    *heard, last = reports(process, order, until)
    if not isinstance(last, Finished):
        raise TrialFailed(f"a trial must finish, it ended with {reason(last)}")
    [started] = [report for report in heard if isinstance(report, Started)]
    return started, [report for report in heard if isinstance(report, EpochDone)]


def reason(report: Report) -> str:
    """The last report in words."""
    return report.reason if isinstance(report, Failed) else type(report).__name__
