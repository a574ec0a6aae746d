"""A fleet on an event clock: the trials of one search train epoch by epoch, by curves that are known beforehand.

The samplers and pruners are the service's own. What is simulated is who is free when, and the budget in epochs: a leg
of a trial begins only where what is left, less what running legs may still use, pays for the whole of it.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from benchmarks.truths import Truth
from search_spaces import StudyDefinition, TrialConfig
from search_spaces.optuna import build_pruner, build_sampler, given_params, suggest
from search_spaces.optuna.seen import SeeingSampler, changed, seen
from search_spaces.rungs import Ladder, Standing, among_best, beginning, bracket_of, promotions

Pace = Callable[[int], float]  # how long an epoch of this worker takes


def steady(worker: int) -> float:
    """One unit, whoever trains it."""
    return 1.0


@dataclass
class Trial:
    """A trial in the search, as far as it has trained."""

    place: int
    asked: optuna.Trial
    config: TrialConfig
    curve: Sequence[float]
    to: int  # epochs, where its leg ends
    epochs: int = 0
    cost: float = math.inf  # the least of its epochs so far
    state: TrialState = TrialState.RUNNING
    is_paused: bool = False

    @property
    def is_open(self) -> bool:
        return self.state is TrialState.RUNNING

    @property
    def is_training(self) -> bool:
        return self.is_open and not self.is_paused

    def train(self) -> None:
        """One epoch more."""
        loss = self.curve[self.epochs]
        self.epochs, self.cost = self.epochs + 1, min(self.cost, loss)
        self.asked.report(loss, self.epochs)


@dataclass
class Search(ABC):
    """One study that is played; `most` trials at most begin."""

    definition: StudyDefinition
    truth: Truth
    seed: int
    most: int
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Hyperband divides trials by the study's name
        self.study = optuna.create_study(study_name=f"replayed-{self.seed}", pruner=self.pruner())

    @abstractmethod
    def pruner(self) -> optuna.pruners.BasePruner: ...

    @abstractmethod
    def take(self, left: int) -> Trial | None:
        """The next leg that `left` epochs pay for."""

    @abstractmethod
    def epoch_done(self, trial: Trial, left: int) -> None:
        """Judge a trial after each of its epochs; `left` are epochs that nobody has reserved."""

    def sampler(self, ordinal: int) -> optuna.samplers.BaseSampler:
        return build_sampler(self.definition, self.seed * 1000 + ordinal)

    def begin(self, to: int) -> Trial:
        place = len(self.trials)
        self.study.sampler = self.sampler(place)
        given = given_params(self.study, self.definition, place)
        if given is not None:
            self.study.enqueue_trial(given)
        asked = self.study.ask()
        config = suggest(asked, self.definition)
        self.trials.append(Trial(place, asked, config, self.truth.curve(config), to))
        return self.trials[-1]

    def end(self, trial: Trial, state: TrialState) -> None:
        trial.state, trial.is_paused = state, False
        self.study.tell(trial.asked, trial.cost if state is TrialState.COMPLETE else None, state=state)

    @property
    def named(self) -> Trial | None:
        """The best complete trial; before there is one, the best of those that have trained longest."""
        return max(self.trials, key=lambda each: (each.epochs, -each.cost), default=None)


class Stopping(Search):
    """A pruner that may stop a trial after every epoch, for good."""

    def pruner(self) -> optuna.pruners.BasePruner:
        return build_pruner(self.definition)

    def take(self, left: int) -> Trial | None:
        epochs = self.definition.epochs
        return self.begin(epochs) if left >= epochs and len(self.trials) < self.most else None

    def epoch_done(self, trial: Trial, left: int) -> None:
        if trial.asked.should_prune():
            self.end(trial, TrialState.PRUNED)
        elif trial.epochs == trial.to:
            self.end(trial, TrialState.COMPLETE)


@dataclass
class Pausing(Search):
    """Asynchronous successive halving: who is not promoted waits, and goes on when its rung has grown."""

    ladders: Sequence[Ladder] = ()
    reached: list[Standing] = field(default_factory=list)

    def pruner(self) -> optuna.pruners.BasePruner:
        return optuna.pruners.NopPruner()

    def sampler(self, ordinal: int) -> optuna.samplers.BaseSampler:
        last = {each.place: each.on for each in self.reached}  # later standings are of higher rungs
        open_ = {each.asked._trial_id: last[each.place] for each in self.trials if each.is_open and each.place in last}
        return _AtTheirRungs(super().sampler(ordinal), open_)

    def take(self, left: int) -> Trial | None:
        sent = {each.place: each.to for each in self.trials}
        legs = list(promotions(self.ladders, self.reached, sent))
        if len(sent) < self.most:
            legs.append(beginning(self.ladders, len(sent)))
        leg = next((each for each in legs if each.to - each.start <= left), None)
        if leg is None:
            return None
        if leg.start == 0:
            return self.begin(leg.to)
        trial = self.trials[leg.place]
        trial.to, trial.is_paused = leg.to, False
        return trial

    def epoch_done(self, trial: Trial, left: int) -> None:
        if trial.epochs < trial.to:
            return
        self.reached.append(Standing(trial.place, trial.cost, trial.epochs))
        ladder = self._ladder(trial.place)
        following = ladder.after(trial.epochs)
        if following is None:
            self.end(trial, TrialState.COMPLETE)
            return
        beside = [each for each in self.reached if each.on == trial.epochs and self._ladder(each.place) is ladder]
        is_best = trial.place in among_best(beside, ladder.reduction_factor)
        if is_best and following - trial.epochs <= left:
            trial.to = following
        else:
            trial.is_paused = True

    def _ladder(self, place: int) -> Ladder:
        return self.ladders[bracket_of(place, self.ladders[0].reduction_factor, len(self.ladders))]


class _AtTheirRungs(SeeingSampler):
    """A sampler that sees trials that may go on as if they had been pruned at the last rung that they have reached."""

    def __init__(self, base: optuna.samplers.BaseSampler, last: Mapping[int, int]) -> None:
        super().__init__(base)
        self._last = last  # epochs, by the trials' ids
        self._view: optuna.Study | None = None  # one sampler draws one trial, while nothing else happens

    def view(self, study: optuna.Study, trial: FrozenTrial) -> tuple[optuna.Study, FrozenTrial]:
        if self._view is None:
            self._view = seen(study, self._seen, is_past=True)
        return self._view, trial

    def _seen(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        return [_pruned(each, self._last[each._trial_id]) if each._trial_id in self._last else each for each in trials]


def _pruned(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    values = {step: value for step, value in trial.intermediate_values.items() if step <= epoch}
    return changed(
        trial,
        state=TrialState.PRUNED,
        intermediate_values=values,
        _values=[values[epoch]],
        datetime_complete=trial.datetime_start,
    )


@dataclass(frozen=True)
class Moment:
    """A search after one more epoch."""

    spent: int  # epochs of all trials
    time: float  # of the fleet's clock
    named: Trial


def played(search: Search, workers: int, budget: int, pace: Pace = steady) -> Iterator[Moment]:
    """Play a search until its budget in epochs pays for no further leg, or nothing is left to train."""
    spent, now = 0, 0.0
    idle = set(range(workers))
    training: dict[int, Trial] = {}
    clock: list[tuple[float, int]] = []  # when each worker's epoch ends

    def left() -> int:
        return budget - spent - sum(each.to - each.epochs for each in training.values())

    while True:
        for worker in sorted(idle):
            trial = search.take(left())
            if trial is None:
                break
            idle.remove(worker)
            training[worker] = trial
            heapq.heappush(clock, (now + pace(worker), worker))
        if not clock:
            return
        now, worker = heapq.heappop(clock)
        trial = training[worker]
        trial.train()
        spent += 1
        search.epoch_done(trial, left())
        if trial.is_training:
            heapq.heappush(clock, (now + pace(worker), worker))
        else:
            del training[worker]
            idle.add(worker)
        named = search.named
        assert named is not None
        yield Moment(spent, now, named)
