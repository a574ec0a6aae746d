"""Optuna's Gaussian process on ranges of any width, with a second proposal where the first was trained before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Study
from optuna._gp.acqf import BaseAcquisitionFunc
from optuna._gp.search_space import SearchSpace
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial

MOST_VALUES = 10_000  # of a range that is searched value by value; Optuna writes all of them down
Ranged = FloatDistribution | IntDistribution


class GaussianProcess(GPSampler):
    """Models a range of more than `MOST_VALUES` values as an interval, and rounds what is drawn.

    Asked again for the same trial, it proposes the point that comes next by its acquisition function, until it knows no
    further one: the process itself would find the same point again.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._asked: int | None = None
        self._acquisition: BaseAcquisitionFunc | None = None
        self._ranked: list[dict[str, Any]] | None = None

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if trial._trial_id == self._asked:
            return self._next(search_space)
        self._asked, self._acquisition, self._ranked = trial._trial_id, None, None
        intervals = {name: _as_interval(distribution) for name, distribution in search_space.items()}
        return _rounded(super().sample_relative(study, trial, intervals), search_space)

    def _optimize_acqf(self, acqf: BaseAcquisitionFunc, best_params: NDArray[np.float64] | None) -> NDArray[np.float64]:
        self._acquisition = acqf
        return super()._optimize_acqf(acqf, best_params)

    def _next(self, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        if self._acquisition is None:  # the startup
            return {}
        if self._ranked is None:
            self._ranked = self._by_acquisition(self._acquisition, search_space)
        return self._ranked.pop() if self._ranked else {}

    def _by_acquisition(
        self, acquisition: BaseAcquisitionFunc, search_space: dict[str, BaseDistribution]
    ) -> list[dict[str, Any]]:
        """Different points of the space, the best one last."""
        space: SearchSpace = acquisition.search_space
        points = space.sample_normalized_params(self._n_preliminary_samples, rng=self._rng.rng)
        order = np.argsort(acquisition.eval_acqf_no_grad(points), kind="stable")
        drawn = [_rounded(space.get_unnormalized_param(points[place]), search_space) for place in order]
        return list({tuple(params.values()): params for params in drawn}.values())


def _as_interval(distribution: BaseDistribution) -> BaseDistribution:
    if not isinstance(distribution, Ranged) or distribution.step is None:
        return distribution
    if (distribution.high - distribution.low) / distribution.step < MOST_VALUES:
        return distribution
    half = distribution.step / 2  # the ends have as much room as the other values
    return FloatDistribution(distribution.low - half, distribution.high + half, log=distribution.log)


def _rounded(drawn: dict[str, Any], search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
    return {name: _on_grid(search_space[name], value) for name, value in drawn.items()}


def _on_grid(distribution: BaseDistribution, value: Any) -> Any:
    """The value of the distribution next to the number."""
    if not isinstance(distribution, Ranged) or distribution.step is None:
        return value
    nearest = distribution.low + round((value - distribution.low) / distribution.step) * distribution.step
    return min(max(nearest, distribution.low), distribution.high)
