"""A search run, which is a trial of Optuna."""

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np
import optuna
from optuna.trial import Trial, TrialState

from search_spaces import Objective, StudyShape, recorded_params
from search_spaces.dimensions import Value
from search_spaces.keep import keeps_search
from search_spaces.optuna import (
    build_pruner,
    build_sampler,
    given_params,
    history_of,
    is_outside,
    suggested,
    trained_with,
)
from service.storage.assignments.assignment import Ended, Step
from service.storage.assignments.ladder import ladder_of
from service.storage.assignments.progress import EpochDone, Progress
from service.storage.assignments.recalling import recall
from service.storage.database.database import Database
from service.storage.optuna import infeasible
from service.storage.optuna import trials as optuna_trials
from service.storage.records import Lease
from service.storage.runs import asking, holding, known
from service.storage.states import RunState

_SETTLED = {TrialState.COMPLETE: RunState.COMPLETE, TrialState.PRUNED: RunState.PRUNED}


class SearchTrial:
    """Optuna suggests what to train, receives the epochs, prunes hopeless trials and receives the result."""

    def __init__(self, db: Database, lease: Lease, *, again: bool = False) -> None:
        """Find the trial that an earlier holder of the run, or with `again` this one, has asked for, or ask for one.

        Raises:
            LeaseLost: another worker holds the run by now.
        """
        self._db, self._lease, self._definition = db, lease, lease.definition
        definition = lease.definition
        self._trial_id = lease.trial_id or asking.ask(db, self._study, lease, self._given, again=again)
        self._decided: frozenset[int] = frozenset()  # steps that an earlier holder has shown the pruner
        self.progress = Progress(definition.objectives)
        self.seeds = range(definition.repeats)
        self.tested_by: Objective | None = None
        self.evaluation = definition.evaluation  # a task that cannot be examined fails now, not after the search
        self.keeps = keeps_search(definition.keep)

    def _given(self) -> Mapping[str, Any] | None:
        given = known.given_until(self._db, self._lease)
        return given_params(self._study, self._definition, self._lease.place, given)

    @cached_property
    def _study(self) -> optuna.Study:
        db, lease, definition = self._db, self._lease, self._definition
        history = history_of(definition, known.history_of(db, lease))
        ladder = partial(ladder_of, db, lease) if definition.pruner.pauses else None
        sampler = build_sampler(definition, _sampler_seed(definition, lease.place), history, ladder)
        return optuna_trials.load_study(db, lease.optuna_study_id, sampler, build_pruner(definition))

    @cached_property
    def _trial(self) -> Trial:
        if self._lease.trial_id is not None:
            optuna_trials.refresh(self._db, self._lease.optuna_study_id)
        return optuna_trials.open_trial(self._study, self._trial_id)

    @property
    def number(self) -> int:
        """The trial's number in its study."""
        return self._trial.number

    def adopt(self) -> Ended | None:
        if self._lease.token == 1:
            return None
        if self._lease.trial_id is not None:
            optuna_trials.refresh(self._db, self._lease.optuna_study_id)
        earlier = self._db.optuna.get_trial(self._trial_id)
        if not earlier.state.is_finished():
            self._decided = frozenset(earlier.intermediate_values)
            return None
        if self._lease.trial_id is None:  # else its curves and facts are complete, and `attach` would drop them
            holding.attach(self._db, self._lease, self._trial_id, earlier.number, trained_with(earlier))
        if earlier.state is TrialState.COMPLETE:
            recall(self._db, self._lease, self.progress)
        state = RunState.FAILED if infeasible.was_told(earlier) else _SETTLED.get(earlier.state, RunState.FAILED)
        return Ended(state, optuna_trials.reason_of(earlier))

    def prepare(self) -> Mapping[str, Value]:
        trial = self._trial
        params = trained_with(frozen := optuna_trials.as_begun(trial))
        # What an earlier holder has noted whole is not drawn again: a draw looks at all trials and legs.
        if is_outside(frozen) or (self._lease.trial_id is not None and params == self._lease.params):
            holding.attach(self._db, self._lease, self._trial_id, trial.number, params)
            return recorded_params(self._definition, params)
        try:
            return asking.suggested(self._db, self._lease, trial, self._suggest)
        except Exception:  # of a sampler: show in which trial it failed
            holding.attach(self._db, self._lease, self._trial_id, trial.number)
            raise

    def _suggest(self, trial: Trial) -> Mapping[str, Value]:
        return suggested(trial, self._definition)

    def take_in(self, done: EpochDone) -> Step | None:
        """Report the epochs of the first repeat or, to compare seed by seed, whole repeats."""
        value, *others = self.progress.add(done.repeat, done.epoch, done.metrics)
        if others:  # Optuna takes reports of single-objective studies only
            return None
        if self._definition.pruner.pairs_repeats:
            is_whole = done.epoch == self._definition.task.epochs
            return (done.repeat, self.progress.of_repeat(done.repeat)) if is_whole else None
        return (done.epoch, value) if done.repeat == 0 else None

    def is_hopeless(self, report: Step) -> bool:
        """Judge a resumed trial only at steps that it has not passed before, and none outside of the search space:
        that is trained to be compared."""
        if self._definition.pruner.name == "none" or self._definition.pruner.pauses or report[0] in self._decided:
            return False
        if is_outside(optuna_trials.as_begun(self._trial)):
            return False
        return optuna_trials.should_prune(self._trial, *report)

    def tell(self, ended: Ended) -> None:
        reason = ended.reason or str(ended.state)
        match ended.state:
            case RunState.COMPLETE:
                optuna_trials.tell(self._study, self._trial, TrialState.COMPLETE, self.progress.values)
            case RunState.PRUNED:
                optuna_trials.tell(self._study, self._trial, TrialState.PRUNED)
            case _ if ended.infeasible:
                infeasible.end(self._db, self._trial, reason)
            case _:
                optuna_trials.fail(self._db, self._trial_id, reason)


def _sampler_seed(definition: StudyShape, place: int) -> int:
    """The run's seed, equal on every worker: with one for all runs, workers would repeat each other's suggestions."""
    return int(np.random.SeedSequence((definition.search_seed, place)).generate_state(1)[0])
