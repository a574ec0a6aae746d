"""The epochs of a run that the database has, for whoever has not seen them."""

from service.storage.assignments.progress import Progress
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.studies import curves


def recall(db: Database, lease: Lease, progress: Progress) -> None:
    """Add every recorded epoch of the run to its progress."""
    for (repeat, epoch), metrics in curves.epochs_of_run(db, lease.run_id).items():
        progress.add(repeat, epoch, metrics)
