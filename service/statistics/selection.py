"""Choosing a configuration by some seeds and judging it by others: the seeds that chose it flatter it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_SEEDS = 5  # that a comparison is judged by


@dataclass(frozen=True)
class Chosen:
    """The configuration that represents a variant."""

    index: int  # among the variant's configurations
    costs: NDArray[np.float64]  # under each judging seed


def choosing_seeds(seeds: int, most_configurations: int) -> int:
    """The number of seeds, the first ones, that choose between configurations; the others judge.

    0 means that all seeds do both: there is nothing to choose, or there are too few seeds to divide. Leaving out each
    seed in turn does not help: the choices then share seeds, and the test rejects far too often.
    """
    if most_configurations == 1 or seeds <= FEWEST_SEEDS:
        return 0
    return seeds - max(FEWEST_SEEDS, (seeds + 1) // 2)


def choose(costs: ArrayLike, choosing: int) -> Chosen:
    """The configuration of least mean cost under the choosing seeds; `costs` is (configurations, seeds).

    Raises:
        ValueError: no configuration, or no seed left to judge.
    """
    table = np.asarray(costs, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or not 0 <= choosing < table.shape[1]:
        raise ValueError(f"{choosing} choosing seeds leave nothing to judge in an array of shape {table.shape}")
    index = int(table[:, : choosing or None].mean(axis=1).argmin())
    return Chosen(index, table[index, choosing:])
