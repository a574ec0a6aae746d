"""A confirmation run. It is not a trial of Optuna: the sampler must not learn from it."""

from collections.abc import Mapping

from search_spaces import Objective, recorded_params
from search_spaces.dimensions import Value
from search_spaces.keep import keeps_confirmation
from service.storage.assignments.assignment import Ended, Step
from service.storage.assignments.progress import EpochDone, Progress
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.runs import holding


class ConfirmationRun:
    """Trains a configuration that the search has found again, with new seeds, and tests it."""

    def __init__(self, db: Database, lease: Lease) -> None:
        definition = lease.definition
        if lease.first_seed is None or lease.seeds is None:
            raise ValueError(f"run {lease.run_id} is to confirm a configuration and has no seeds")
        self._db, self._lease, self._definition = db, lease, definition
        self.progress = Progress(definition.objectives, on_test=True)
        self.seeds = range(lease.first_seed, lease.first_seed + lease.seeds)
        self.tested_by: Objective | None = definition.objectives[0]
        self.evaluation = definition.evaluation
        self.keeps = keeps_confirmation(definition.keep)

    def adopt(self) -> Ended | None:
        return None

    def prepare(self) -> Mapping[str, Value]:
        holding.attach(self._db, self._lease, None, None)
        return recorded_params(self._definition, self._lease.params or {})

    def take_in(self, done: EpochDone) -> Step | None:
        self.progress.add(done.repeat, done.epoch, done.metrics)
        return None

    def is_hopeless(self, report: Step) -> bool:
        return False

    def tell(self, ended: Ended) -> None:
        """Do nothing: Optuna does not know the run."""
