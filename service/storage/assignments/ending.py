"""The end of a run, with what its assignment knows of it."""

from collections.abc import Callable, Sequence

from service.storage.assignments.assignment import Assignment, Ended
from service.storage.database.database import Database
from service.storage.records import Lease, Log, Weights
from service.storage.runs import holding
from service.storage.states import RunState


def finish(
    db: Database,
    lease: Lease,
    assignment: Assignment | None,
    ended: Ended,
    *,
    kept: Sequence[Weights] = (),
    log: Log | None = None,
    tell: Callable[[], None] | None = None,
) -> set[int]:
    """End the run, and tell its assignment, if it has come to one, unless `tell` is called in its place.

    `log` is what its trial has written.

    Returns what `holding.finish` returns. It is safe to repeat.

    Raises:
        LeaseLost: see `holding.finish`.
    """
    progress = None if assignment is None else assignment.progress
    values = progress.values if progress is not None and ended.state is RunState.COMPLETE else None

    def told() -> None:
        if assignment is not None:
            assignment.tell(ended)

    return holding.finish(
        db,
        lease,
        ended.state,
        reason=ended.reason,
        best_epoch=None if progress is None else progress.best_epoch,
        values=values or None,
        kept=kept,
        log=log,
        tell=told if tell is None else tell,
    )
