"""A search in the order of its queue: what is drawn follows from the runs before it, not from who was faster."""

from collections.abc import Iterable

from optuna import Study
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.optuna.given import GIVEN
from search_spaces.optuna.seen import SeeingSampler, changed, seen

ORDINAL = "ordinal"  # the attribute of a trial with its run's place among those of the search, from 0


class OrderedSampler(SeeingSampler):
    """Draws for run n from the results of the runs below n - lag, and from the parameters of those in between."""

    def __init__(self, base: BaseSampler, lag: int) -> None:
        super().__init__(base)
        self._seen_by = _Views(lag)

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        return self._seen_by(study, trial)


class OrderedPruner(BasePruner):
    """Judges run n by the curves of the runs below n - lag."""

    def __init__(self, base: BasePruner, lag: int) -> None:
        self._base, self._seen_by = base, _Views(lag)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return self._base.prune(*self._seen_by(study, trial))


class _Views:
    """What trials may see of their study; the last one's is kept."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._last: tuple[int, Study] | None = None

    def __call__(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        """The study as this trial may see it, and the trial with its run's place for a number."""
        place = _place(trial)
        if self._last is None or self._last[0] != trial._trial_id:
            view = seen(study, lambda trials: past(trials, place, self._lag), is_past=True)
            self._last = trial._trial_id, view
        return self._last[1], changed(trial, _number=place)


def past(trials: Iterable[FrozenTrial], ordinal: int, lag: int) -> list[FrozenTrial]:
    """The trials as the run of this place may see them: in the order of their runs, the last `lag` as they began."""
    placed = sorted((each for each in trials if each.user_attrs.get(ORDINAL, ordinal + 1) <= ordinal), key=_place)
    return [begun(each) if ordinal - lag <= _place(each) < ordinal else _numbered(each) for each in placed]


def _place(trial: FrozenTrial) -> int:
    place: int = trial.user_attrs[ORDINAL]
    return place


def _numbered(trial: FrozenTrial) -> FrozenTrial:
    return changed(trial, _number=_place(trial))


def begun(trial: FrozenTrial) -> FrozenTrial:
    """What was known of the trial when it began."""
    given = {name: value for name, value in trial.system_attrs.items() if name == GIVEN}
    return changed(
        trial,
        _number=_place(trial),
        state=TrialState.RUNNING,
        _values=None,
        datetime_complete=None,
        intermediate_values={},
        _system_attrs=given,
    )
