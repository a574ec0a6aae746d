"""An epoch of a run, as it is judged and written down."""

from dataclasses import dataclass, replace

from search_spaces import StudyShape
from search_spaces.objective import unusable_name, with_objectives
from service.storage.assignments.assignment import Assignment, Step
from service.storage.assignments.progress import EpochDone, UnusableEpoch
from service.storage.database.database import Database
from service.storage.records import CurvePoint, Lease
from service.storage.runs import holding


@dataclass(frozen=True)
class Epoch:
    """An epoch that the assignment has taken in: what is written of it, and the report for a pruner."""

    total: int  # counted over all repeats
    points: list[CurvePoint]
    report: Step | None

    def record(self, db: Database, lease: Lease) -> None:
        """Write it under the lease; it is safe to repeat.

        Raises:
            LeaseLost: see `holding.record_epoch`.
        """
        holding.record_epoch(db, lease, self.total, self.points, self.report)


def taken_in(definition: StudyShape, assignment: Assignment, done: EpochDone) -> Epoch:
    """Add the epoch to the assignment's progress, and return what to record.

    Raises:
        UnusableEpoch: the run fails for this reason.
    """
    if flaw := unusable_name(done.metrics):
        raise UnusableEpoch(flaw)
    done = replace(done, metrics=with_objectives(done.metrics, definition.objectives))
    report = assignment.take_in(done)
    points = [_point(done, name, number) for name, number in done.metrics.items()]
    return Epoch(done.repeat * definition.task.epochs + done.epoch, points, report)


def _point(done: EpochDone, name: str, value: float) -> CurvePoint:
    split, _, metric = name.partition("_")
    return CurvePoint(done.epoch, done.repeat, split, metric, value)
