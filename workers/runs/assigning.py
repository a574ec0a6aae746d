"""Which assignment a lease brings."""

from search_spaces import StudyShape
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.states import Stage
from workers.runs.confirmation_run import ConfirmationRun
from workers.runs.search_trial import SearchTrial


def assignment_of(
    db: Database, lease: Lease, definition: StudyShape, optuna_study_id: int
) -> SearchTrial | ConfirmationRun:
    """Return what the run is for, by its stage; `definition` and `optuna_study_id` are its study's.

    Raises:
        LeaseLost: another worker holds the run by now, or its study was deleted.
    """
    if lease.stage is Stage.CONFIRMATION:
        return ConfirmationRun(db, lease, definition)
    return SearchTrial(db, lease, definition, optuna_study_id)
