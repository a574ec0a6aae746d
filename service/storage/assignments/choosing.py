"""Chooses what a run is for."""

from service.storage.assignments.confirmation_run import ConfirmationRun
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.states import Stage


def assignment_of(db: Database, lease: Lease, *, again: bool = False) -> SearchTrial | ConfirmationRun:
    """Return what the run is for, by its stage.

    `again` is for a call after one that failed: it may have asked for the trial.

    Raises:
        LeaseLost: somebody else holds the run by now, or its study was deleted.
    """
    if lease.stage is Stage.CONFIRMATION:
        return ConfirmationRun(db, lease)
    return SearchTrial(db, lease, again=again)
