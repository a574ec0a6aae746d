"""Builds Optuna's sampler and pruner from those that a definition names."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from search_spaces.optuna.distinct import DistinctSampler
from search_spaces.optuna.history import WithHistory
from search_spaces.optuna.laddered import Ladder, LadderedSampler
from search_spaces.optuna.modelled import ModelledSampler
from search_spaces.optuna.ordered import OrderedPruner, OrderedSampler
from search_spaces.optuna.within import WithinVariant, WithinVariantPruner
from search_spaces.race import contenders
from search_spaces.shape import StudyShape


def build_sampler(
    definition: StudyShape,
    seed: int,
    history: Sequence[FrozenTrial] = (),
    ladder: Callable[[], Ladder] | None = None,
) -> BaseSampler:
    """The sampler of one process; `seed` must differ between the processes of a study.

    `history` are the trials of an earlier study that it knows (see `history_of`), `ladder` reads the legs of a search
    whose trials pause.
    """
    part = definition.sampler.shared_by(len(contenders(definition))) if definition.is_race else definition.sampler
    with experimental_parts_accepted():
        sampler = part.build(seed=seed, shared_seed=definition.search_seed)
    if part.draws_jointly:
        sampler = ModelledSampler(sampler, definition, numeric=part.models == "numeric")
    if not part.visits_grid:
        sampler = DistinctSampler(sampler, definition, seed)
    if definition.is_race:
        sampler = WithinVariant(sampler, definition)
    if history:
        sampler = WithHistory(sampler, history)
    if ladder is not None:
        return LadderedSampler(sampler, ladder, definition.sampler.lag)
    return sampler if definition.sampler.lag is None else OrderedSampler(sampler, definition.sampler.lag)


def build_pruner(definition: StudyShape) -> BasePruner:
    """The pruner of every process of a study."""
    objective, epochs, repeats = definition.objectives[0], definition.task.epochs, definition.repeats
    with experimental_parts_accepted():
        pruner = definition.pruner.build(objective=objective, epochs=epochs, repeats=repeats)
    if definition.is_race:
        pruner = WithinVariantPruner(pruner, definition)
    return pruner if definition.sampler.lag is None else OrderedPruner(pruner, definition.sampler.lag)


@contextmanager
def experimental_parts_accepted() -> Iterator[None]:
    """Silence the warnings for parts that Optuna has marked as experimental for years; their use is deliberate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield
