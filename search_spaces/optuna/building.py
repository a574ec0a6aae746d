"""Builds Optuna's sampler and pruner from those that a definition names."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from search_spaces.optuna.distinct import DistinctSampler
from search_spaces.optuna.within import WithinVariant, WithinVariantPruner
from search_spaces.shape import StudyShape


def build_sampler(definition: StudyShape, seed: int) -> BaseSampler:
    """The sampler of one process; `seed` must differ between the processes of a study."""
    with experimental_parts_accepted():
        sampler = definition.sampler.build(seed=seed, shared_seed=definition.search_seed)
    if definition.sampler.repeats_itself:
        sampler = DistinctSampler(sampler, definition, seed)
    return WithinVariant(sampler, definition) if definition.is_race else sampler


def build_pruner(definition: StudyShape) -> BasePruner:
    """The pruner of every process of a study."""
    objective, epochs, repeats = definition.objectives[0], definition.task.epochs, definition.repeats
    with experimental_parts_accepted():
        pruner = definition.pruner.build(objective=objective, epochs=epochs, repeats=repeats)
    return WithinVariantPruner(pruner, definition) if definition.is_race else pruner


@contextmanager
def experimental_parts_accepted() -> Iterator[None]:
    """Silence the warnings for parts that Optuna has marked as experimental for years; their use is deliberate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
