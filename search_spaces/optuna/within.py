"""Every variant has a search of its own: its sampler and its pruner know its trials alone."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any

from optuna import Study
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search_spaces.grids import Params
from search_spaces.known import Given, outside_of
from search_spaces.optuna.given import given_to
from search_spaces.optuna.ordered import past
from search_spaces.optuna.seen import SeeingSampler, changed, seen
from search_spaces.race import Standing, contenders, next_variant
from search_spaces.resolution import fixed_params, recorded_params
from search_spaces.shape import StudyShape
from search_spaces.trial_config import variant_of
from search_spaces.variants import telling_in

FEWEST_COMPLETE = 2  # trials of a variant, before one of it is pruned


class WithinVariant(SeeingSampler):
    """Draws what is left open of a trial whose variant is given, from the variant's own trials.

    The dimensions that make the variant are hidden: they have one value there.
    """

    def __init__(self, base: BaseSampler, definition: StudyShape) -> None:
        super().__init__(base)
        self._tell = Telling(definition)

    def view(self, study: Study, trial: FrozenTrial) -> tuple[Study, FrozenTrial]:
        given, variant = self._tell.given(trial), self._tell(trial)

        def own(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
            return [_without(each, given) for each in trials if self._tell(each) == variant]

        return seen(study, own, prefix=f"{variant}/"), trial


class WithinVariantPruner(BasePruner):
    """Judges a trial against those of its own variant, when two of them are complete: variants learn at different
    speeds."""

    def __init__(self, base: BasePruner, definition: StudyShape) -> None:
        self._base, self._tell = base, Telling(definition)

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        variant = self._tell(trial)
        own = seen(study, lambda trials: [each for each in trials if self._tell(each) == variant])
        complete = own.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return len(complete) >= FEWEST_COMPLETE and self._base.prune(own, trial)


class Telling:
    """Tells a trial's variant, from what it was given or has drawn; each kind of trial is worked out once."""

    def __init__(self, definition: StudyShape) -> None:
        self._definition = definition
        self._known: dict[tuple[Any, ...], str] = {}
        self._telling = sorted({name for each in contenders(definition) for point in each.points for name in point})

    def __call__(self, trial: FrozenTrial) -> str:
        values = {**given_to(trial), **trial.params}
        kind = tuple(values.get(name) for name in self._telling)
        if kind not in self._known:
            recorded = recorded_params(self._definition, values)
            self._known[kind] = variant_of(recorded, telling_in(self._definition.search_space))
        return self._known[kind]

    def given(self, trial: FrozenTrial) -> Params:
        """What the trial was given of the dimensions that make its variant."""
        return {name: value for name, value in given_to(trial).items() if name in self._telling}


def given_params(
    study: Study, definition: StudyShape, ordinal: int, known: Mapping[int, Given] | None = None
) -> Given | None:
    """The parameters that the trial of this run is given: all of them by a grid, its variant by a race; else None.

    `known` are those that somebody chose for runs, by their places in the search (see `search_spaces.known`).
    """
    known = known or {}
    own = known.get(ordinal)
    if own is not None and outside_of(own) is not None:
        return own
    if not definition.is_race:
        return own or fixed_params(definition, ordinal)
    tell = Telling(definition)
    trials, lag = study.get_trials(deepcopy=False), definition.sampler.lag
    standings = _standings(trials if lag is None else past(trials, ordinal, lag), tell, definition)
    entered, trials_in_all = contenders(definition), definition.trials
    chosen = next_variant(definition.search, entered, standings, ordinal=ordinal, trials=trials_in_all, known=known)
    had = standings.get(chosen.variant, Standing()).trials
    return {**chosen.points[had % len(chosen.points)], **(own or {})}


def _standings(trials: Iterable[FrozenTrial], tell: Telling, definition: StudyShape) -> dict[str, Standing]:
    cost = definition.objectives[0].cost
    of_variant: dict[str, list[FrozenTrial]] = {}
    for trial in trials:
        of_variant.setdefault(tell(trial), []).append(trial)
    return {
        variant: Standing(
            trials=len(own),
            tried=len({tuple(sorted(each.params.items())) for each in own}),
            best=min((cost(each.values[0]) for each in own if _is_complete(each)), default=inf),
        )
        for variant, own in of_variant.items()
    }


def _is_complete(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.COMPLETE and bool(trial.values)


def _without(trial: FrozenTrial, names: Mapping[str, Any]) -> FrozenTrial:
    """The trial as if it had never had these parameters."""
    if names.keys().isdisjoint(trial.params):
        return trial
    left = {name: value for name, value in trial.params.items() if name not in names}
    return changed(trial, _params=left, _distributions={name: trial.distributions[name] for name in left})
