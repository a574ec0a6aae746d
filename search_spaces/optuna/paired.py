"""A pruner that compares trials seed by seed."""

import math
from collections.abc import Sequence

from optuna import Study
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from search_spaces.objective import Objective


class RepeatsPruner(BasePruner):
    """Ends a trial that is worse than the best complete one beyond doubt; a step is a whole repeat.

    After each repeat from the `first`-th on, except the last, a one-sided paired t test asks whether
    the trial is worse than the best complete trial over the seeds that both have. Shared seeds cancel what a seed does
    to every trial alike.

    For normal differences, a trial that is no worse than the best complete one is ended with a chance of at most `p`,
    however often the test looks and however lucky the best trial was: p is divided by the number of looks and by the
    number of complete trials, of which the best one so far is the luckiest (Bonferroni). Without the second division
    a search of a hundred equal configurations ended one in six of them. A false alarm needs a lucky rival and an
    unlucky trial, so a configuration that is the best by any margin is lost far less often.

    Raises ValueError for p outside (0, 1), `first` below 2, or too few repeats for one look.
    """

    def __init__(self, p: float, objective: Objective, *, repeats: int, first: int = 2) -> None:
        if not 0 < p < 1:
            raise ValueError(f"p must lie between 0 and 1, got {p}")
        if not 2 <= first < repeats:
            raise ValueError(f"the first look must come after 2 repeats at least and before the last of {repeats}")
        self._p, self._objective, self._repeats, self._first = p, objective, repeats, first

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        done = len(trial.intermediate_values)
        if not self._first <= done < self._repeats:
            return False
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not complete:
            return False
        cost = self._objective.cost
        best = min(complete, key=lambda other: cost(other.value or 0.0)).intermediate_values
        worse_by = [cost(value - best[step]) for step, value in trial.intermediate_values.items() if step in best]
        looks = self._repeats - self._first
        return len(worse_by) >= self._first and p_value(worse_by) < self._p / (looks * len(complete))


def p_value(differences: Sequence[float]) -> float:
    """Return the p-value of Student's t test that the mean of at least 2 differences is above 0.

    Differences without any spread give 0 or 1.
    """
    from scipy.special import stdtr  # imported here: a definition is read in places that never prune

    count = len(differences)
    mean = math.fsum(differences) / count
    deviation = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (count - 1))
    if deviation <= 1e-12 * abs(mean):
        return 0.0 if mean > 0 else 1.0
    return float(stdtr(count - 1, -mean / (deviation / math.sqrt(count))))
