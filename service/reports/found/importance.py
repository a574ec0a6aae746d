"""The importance of each searched parameter, by Optuna's PED-ANOVA."""

import logging
import math
import uuid
import warnings
from collections.abc import Mapping, Sequence

from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial

from search_spaces import CategoricalDimension, FloatDimension, IntDimension, StudyShape
from service.storage.records import TrialRecord
from service.storage.states import Origin

FEWEST_TRIALS = 10
MOST_TRIALS = 2_000
FEWEST_BEST = 5  # trials among the best: PED-ANOVA fits a density to them
BEST_SHARE = 0.1  # of the trials, unless that is fewer than FEWEST_BEST


def importances(definition: StudyShape, complete: Sequence[TrialRecord]) -> dict[str, float]:
    """Each parameter's share in the sum of importances for the first objective, the largest first.

    `complete` are the trials, the best first; of more than MOST_TRIALS so many are weighed, evenly spaced.
    Only parameters with two values or more count; {} if there are none, or if nothing tells the best from the rest.
    Source: Watanabe et al. 2023, PED-ANOVA (arXiv:2304.10255), with Optuna's treatment of conditional parameters.
    """
    complete = weighable(complete)
    spaces = _distributions(definition, complete)
    if not spaces or len(complete) < FEWEST_TRIALS:
        return {}
    complete = spaced(complete)
    from optuna.importance import PedAnovaImportanceEvaluator  # imports scikit-learn, for which every page would wait

    study = _study_in_memory(StudyDirection[definition.objectives[0].direction.upper()])
    study.add_trials([_frozen(trial, spaces) for trial in complete])
    best = min(0.5, max(BEST_SHARE, FEWEST_BEST / len(complete)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of rare values of a parameter, which are usual here
        weights = PedAnovaImportanceEvaluator(target_quantile=best).evaluate(study)
    total = math.fsum(weights.values())
    if total <= 0.0:
        return {}
    return {name: weight / total for name, weight in sorted(weights.items(), key=lambda item: -item[1])}


def weighable(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Those whose parameters are of the search space."""
    return [trial for trial in trials if trial.origin is not Origin.OUTSIDE]


def varied(definition: StudyShape, trials: Sequence[TrialRecord]) -> list[str]:
    """The searched parameters that have two values or more."""
    return list(_distributions(definition, trials))


def spaced(best_first: Sequence[TrialRecord]) -> Sequence[TrialRecord]:
    """Those that are weighed."""
    count = len(best_first)
    if count <= MOST_TRIALS:
        return best_first
    return [best_first[i * count // MOST_TRIALS] for i in range(MOST_TRIALS)]


def _distributions(definition: StudyShape, complete: Sequence[TrialRecord]) -> dict[str, BaseDistribution]:
    """The parameters that varied, each with the whole range that its dimensions allow together."""
    dimensions: dict[str, list[FloatDimension | IntDimension | CategoricalDimension]] = {}
    for name, dimension in definition.search_space.items():
        dimensions.setdefault(dimension.parameter or name, []).append(dimension)
    return {
        parameter: _joint(several)
        for parameter, several in dimensions.items()
        if len({trial.params[parameter] for trial in complete if parameter in trial.params}) > 1
    }


def _joint(dimensions: Sequence[FloatDimension | IntDimension | CategoricalDimension]) -> BaseDistribution:
    numeric = [d for d in dimensions if not isinstance(d, CategoricalDimension)]
    if len(numeric) < len(dimensions):
        return CategoricalDistribution(tuple(dict.fromkeys(v for d in dimensions for v in d.values or ())))
    low, high, log = min(d.low for d in numeric), max(d.high for d in numeric), all(d.log for d in numeric)
    if all(isinstance(d, IntDimension) for d in numeric):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _frozen(trial: TrialRecord, spaces: Mapping[str, BaseDistribution]) -> FrozenTrial:
    held = {name: space for name, space in spaces.items() if name in trial.params}
    return create_trial(
        value=trial.values[0] if trial.values else math.nan,
        params={name: trial.params[name] for name in held},
        distributions=held,
    )


def _study_in_memory(direction: StudyDirection) -> Study:
    logging.getLogger("optuna.storages._in_memory").setLevel(logging.WARNING)  # otherwise it announces every report
    storage, name = InMemoryStorage(), uuid.uuid4().hex
    storage.create_new_study([direction], name)
    return Study(name, storage)
