"""A run of the search is a trial of Optuna's."""

from collections.abc import Mapping

import optuna
from optuna.trial import Trial, TrialState

from search_spaces import Objective, StudyShape, TrialConfig
from search_spaces.optuna import suggest
from service.storage import curves, infeasible, optuna_trials, queue
from service.storage.database import Database
from service.storage.records import Lease, RunState
from workers.assignment import Outcome, Step
from workers.messages import EpochDone
from workers.objective import Progress

_SETTLED = {TrialState.COMPLETE: RunState.COMPLETE, TrialState.PRUNED: RunState.PRUNED}


class SearchTrial:
    """Optuna suggests what to train, hears of the epochs, ends what is hopeless and is told the result."""

    def __init__(
        self,
        db: Database,
        lease: Lease,
        definition: StudyShape,
        study: optuna.Study,
        fixed_params: Mapping[str, object] | None,
    ) -> None:
        self._db, self._lease, self._definition, self._study = db, lease, definition, study
        self._fixed_params = fixed_params
        self._trial_id: int
        self._trial: Trial
        self._decided: frozenset[int] = frozenset()  # steps that an earlier holder has shown the pruner
        self.progress = Progress(definition.objectives)
        self.seeds = range(definition.repeats)
        self.tested_by: Objective | None = None

    def adopt(self) -> Outcome | None:
        self._trial_id = optuna_trials.ask(self._db, self._study, self._lease, self._fixed_params)
        if self._lease.token == 1:
            return None
        earlier = self._db.optuna.get_trial(self._trial_id)
        if not earlier.state.is_finished():
            self._decided = frozenset(earlier.intermediate_values)
            return None
        if self._lease.trial_id is None:  # else its curves and facts are complete, and `attach` would drop them
            queue.attach(self._db, self._lease, self._trial_id, earlier.number, earlier.params)
        if earlier.state is TrialState.COMPLETE:
            self._recall()
        state = RunState.FAILED if infeasible.was_told(earlier) else _SETTLED.get(earlier.state, RunState.FAILED)
        return Outcome(state, earlier.system_attrs.get("fail_reason"))

    def _recall(self) -> None:
        """Read from the curves what the holder that told Optuna knew: which epoch was the best."""
        for (repeat, epoch), metrics in curves.epochs_of_run(self._db, self._lease.run_id).items():
            self.progress.add(repeat, epoch, metrics)

    def prepare(self) -> TrialConfig:
        self._trial = optuna_trials.open_trial(self._study, self._trial_id)
        try:
            config = optuna_trials.suggested(self._db, self._lease, self._trial, self._suggest)
        except Exception:  # of a sampler: people should see which trial it was
            queue.attach(self._db, self._lease, self._trial_id, self._trial.number)
            raise
        queue.attach(self._db, self._lease, self._trial_id, self._trial.number, self._trial.params)
        return config

    def _suggest(self, trial: Trial) -> TrialConfig:
        return suggest(trial, self._definition)

    def take_in(self, done: EpochDone) -> Step | None:
        """The epochs of the first repeat or, to compare seed by seed, whole repeats."""
        value, *others = self.progress.add(done.repeat, done.epoch, done.metrics)
        if others:  # Optuna takes reports of single-objective studies only
            return None
        if self._definition.pruner.pairs_repeats:
            is_whole = done.epoch == self._definition.task.epochs
            return (done.repeat, self.progress.of_repeat(done.repeat)) if is_whole else None
        return (done.epoch, value) if done.repeat == 0 else None

    def is_hopeless(self, report: Step) -> bool:
        """A trial that is carried on is not judged again where it has passed before."""
        if self._definition.pruner.name == "none" or report[0] in self._decided:
            return False
        return optuna_trials.should_prune(self._trial, *report)

    def tell(self, outcome: Outcome) -> None:
        reason = outcome.reason or str(outcome.state)
        match outcome.state:
            case RunState.COMPLETE:
                optuna_trials.tell(self._study, self._trial, TrialState.COMPLETE, self.progress.values)
            case RunState.PRUNED:
                optuna_trials.tell(self._study, self._trial, TrialState.PRUNED)
            case _ if outcome.out_of_memory:
                infeasible.end(self._db, self._trial, reason)
            case _:
                optuna_trials.fail(self._db, self._trial_id, reason)
