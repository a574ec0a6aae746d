"""A worker that does with the real storage what it is told, step by step."""

from functools import partial
from typing import Any

import optuna
from optuna.trial import TrialState

from search_spaces.optuna import build_pruner, build_sampler, suggest
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.optuna import trials as optuna_trials
from service.storage.records import CurvePoint, Lease, StudyRecord
from service.storage.runs import asking, claiming, holding
from service.storage.states import RunState, Stage

TOLD = {
    RunState.COMPLETE: TrialState.COMPLETE,
    RunState.PRUNED: TrialState.PRUNED,
    RunState.FAILED: TrialState.FAIL,
}


class Stepper:
    """A registered worker with one run at a time."""

    def __init__(self, database: Database, study: StudyRecord, host: str = "node-1", pid: int = 4711) -> None:
        self.database, self.study = database, study
        self.id = workers.register(database, host, pid, "cpu")
        sampler = build_sampler(study.definition, study.definition.search_seed)
        self._optuna_study = optuna_trials.load_study(
            database, study.optuna_study_id, sampler, build_pruner(study.definition)
        )
        self._trial: optuna.Trial | None = None
        self.lease: Lease | None = None

    def begin(self, seconds: float = 60) -> Lease:
        """Claim a run for so many seconds and note its trial."""
        lease = claiming.claim(self.database, self.id, seconds)
        assert lease is not None
        self.lease = lease
        if lease.stage is Stage.CONFIRMATION:
            holding.attach(self.database, lease, None, None)
        else:
            self._trial = optuna_trials.open_trial(
                self._optuna_study, asking.ask(self.database, self._optuna_study, lease)
            )
            suggest(self._trial, self.study.definition)
            holding.attach(self.database, lease, self._trial._trial_id, self._trial.number, self._trial.params)
        return lease

    def epoch(self, epoch: int, loss: float, repeat: int = 0, **others: float) -> None:
        """Report an epoch."""
        assert self.lease is not None
        metrics = {"val_loss": loss, "train_loss": 0.9 * loss, "train_seconds": 0.5, **others}
        points = [CurvePoint(epoch, repeat, *name.split("_", 1), value) for name, value in metrics.items()]
        holding.record_epoch(self.database, self.lease, epoch, points, report=(epoch, loss))

    def end(self, state: RunState, value: float = 0.5, reason: str | None = None, **more: Any) -> None:
        """End the run."""
        assert self.lease is not None
        tell: Any = lambda: None  # noqa: E731
        values = [value]
        if self.lease.stage is Stage.SEARCH:
            told = [value] if state is RunState.COMPLETE else None
            tell = partial(optuna_trials.tell, self._optuna_study, self._trial, TOLD[state], told)
        best = 1 if state is RunState.COMPLETE else None
        holding.finish(
            self.database, self.lease, state, reason=reason, best_epoch=best, values=values, tell=tell, **more
        )
        self.lease = None
