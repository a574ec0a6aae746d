"""From the named sampler and pruner of a definition to Optuna's objects."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from optuna import pruners, samplers
from optuna.exceptions import ExperimentalWarning

from search_spaces.optuna.distinct import DistinctSampler
from search_spaces.optuna.grouping import group_quickly
from search_spaces.optuna.paired import RepeatsPruner
from search_spaces.pruners import (
    HyperbandPruner,
    MedianPruner,
    NoPruner,
    PairedPruner,
    SuccessiveHalvingPruner,
)
from search_spaces.samplers import (
    CmaEsSampler,
    GpSampler,
    GridSampler,
    NsgaiiSampler,
    QmcSampler,
    RandomSampler,
)
from search_spaces.shape import StudyShape


def build_sampler(definition: StudyShape, seed: int) -> samplers.BaseSampler:
    """The sampler of one process; `seed` must differ between the processes of a study.

    For the grid it is a random sampler that has nothing to draw, because `fixed_params` gives every value.
    """
    chosen = definition.sampler
    options = chosen.model_dump(exclude={"name", "seed"})
    with experimental_parts_accepted():
        if isinstance(chosen, RandomSampler | GridSampler):
            return samplers.RandomSampler(seed=seed)
        if isinstance(chosen, QmcSampler):
            # One sequence is shared by all processes, hence the study's seed; only the fallback has its own.
            return samplers.QMCSampler(
                **options,
                seed=chosen.seed,
                independent_sampler=samplers.RandomSampler(seed=seed),
                warn_independent_sampling=False,
            )
        if isinstance(chosen, CmaEsSampler):
            return samplers.CmaEsSampler(**options, seed=seed, warn_independent_sampling=False)
        if isinstance(chosen, GpSampler):
            return samplers.GPSampler(**options, seed=seed, warn_independent_sampling=False)
        if isinstance(chosen, NsgaiiSampler):
            return samplers.NSGAIISampler(**options, seed=seed)
        return DistinctSampler(group_quickly(samplers.TPESampler(**options, seed=seed)), definition, seed)


def build_pruner(definition: StudyShape) -> pruners.BasePruner:
    """The pruner; hyperband's largest resource is the number of epochs."""
    chosen = definition.pruner
    with experimental_parts_accepted():
        if isinstance(chosen, NoPruner):
            return pruners.NopPruner()
        if isinstance(chosen, MedianPruner):
            return pruners.MedianPruner(
                n_startup_trials=chosen.n_startup_trials,
                n_warmup_steps=chosen.n_warmup_epochs,
                interval_steps=chosen.interval_epochs,
                n_min_trials=chosen.n_min_trials,
            )
        if isinstance(chosen, HyperbandPruner):
            return pruners.HyperbandPruner(
                min_resource=chosen.min_epochs,
                max_resource=definition.task.epochs,
                reduction_factor=chosen.reduction_factor,
                bootstrap_count=chosen.bootstrap_count,
            )
        if isinstance(chosen, SuccessiveHalvingPruner):
            return pruners.SuccessiveHalvingPruner(
                min_resource=chosen.min_epochs,
                reduction_factor=chosen.reduction_factor,
                min_early_stopping_rate=chosen.min_early_stopping_rate,
                bootstrap_count=chosen.bootstrap_count,
            )
        if isinstance(chosen, PairedPruner):
            return RepeatsPruner(
                chosen.p, definition.objectives[0], repeats=definition.repeats, first=chosen.n_startup_repeats
            )
        return pruners.WilcoxonPruner(p_threshold=chosen.p_threshold, n_startup_steps=chosen.n_startup_repeats)


@contextmanager
def experimental_parts_accepted() -> Iterator[None]:
    """Optuna marks parts it has kept for years as experimental; the choice here is a deliberate one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
