"""A search whose trials pause at rungs: samplers see such a trial as pruned at the last one that it has reached."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from optuna import Study
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.optuna.ordered import ORDINAL, begun
from search_spaces.optuna.seen import SeeingSampler, changed, seen


@dataclass(frozen=True)
class Leg:
    """A leg of a trial's training: the place in the order in which legs were begun, and the epoch at its end."""

    number: int
    epochs: int
    is_reached: bool


@dataclass(frozen=True)
class Ladder:
    """The legs so far by the ids of their trials, in ascending order, and the number of the leg that is asked for."""

    legs: Mapping[int, Sequence[Leg]]
    number: int


class LadderedSampler(SeeingSampler):
    """Draws from the trials as they stood at their last rungs.

    With a lag that is as the legs below number - lag have left them, and of later ones the parameters. The ladder is
    read when the base first looks at trials: one that draws by chance, or has drawn already, needs none.
    """

    def __init__(self, base: BaseSampler, ladder: Callable[[], Ladder], lag: int | None) -> None:
        super().__init__(base)
        self._read, self._lag = ladder, lag
        self._last: tuple[int, Study] | None = None

    @cached_property
    def _ladder(self) -> Ladder:
        return self._read()

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        if self._lag is None:
            return seen(study, lambda trials: [self._as_it_stands(each) for each in trials]), trial
        place: int = trial.user_attrs[ORDINAL]
        if self._last is None or self._last[0] != trial._trial_id:
            view = seen(study, lambda trials: self._past(trials, place), is_past=True)
            self._last = trial._trial_id, view
        return self._last[1], changed(trial, _number=place)

    def _as_it_stands(self, trial: FrozenTrial) -> FrozenTrial:
        reached = [leg.epochs for leg in self._ladder.legs.get(trial._trial_id, ()) if leg.is_reached]
        return _paused(trial, reached[-1]) if reached and trial.state is TrialState.RUNNING else trial

    def _past(self, trials: Iterable[FrozenTrial], place: int) -> list[FrozenTrial]:
        """The trials that began before the one of this place, and itself, in the order of their runs."""
        placed = [each for each in trials if each.user_attrs.get(ORDINAL, place + 1) <= place]
        placed.sort(key=lambda each: each.user_attrs[ORDINAL])
        return [self._known(changed(each, _number=each.user_attrs[ORDINAL]), place) for each in placed]

    def _known(self, trial: FrozenTrial, place: int) -> FrozenTrial:
        """The trial as the legs have left it whose results are known."""
        if trial.number == place:
            return trial
        legs = self._ladder.legs.get(trial._trial_id, ())
        seen_legs = [leg for leg in legs if leg.number < self._ladder.number - (self._lag or 0)]
        if len(seen_legs) == len(legs) and trial.state.is_finished():
            return trial
        reached = [leg.epochs for leg in seen_legs if leg.is_reached]
        return _paused(trial, reached[-1]) if reached else begun(trial)


def _paused(trial: FrozenTrial, epoch: int) -> FrozenTrial:
    """The trial as pruned after this epoch."""
    values = {step: value for step, value in trial.intermediate_values.items() if step <= epoch}
    last = [values[max(values)]] if values else None
    return changed(
        trial,
        state=TrialState.PRUNED,
        _values=last,
        intermediate_values=values,
        datetime_complete=trial.datetime_complete or trial.datetime_start,
    )
