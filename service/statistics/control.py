"""The control at rate 0, where all variants are the same function: what differs there is noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ZeroRate:
    """Differences between variants that cannot be due to them."""

    widest: float  # the largest difference between two trainings of equal settings
    deviation: float  # standard deviation within equal settings, pooled
    trainings: int
    variants: tuple[str, ...]


def zero_rate_control(values: Mapping[str, Mapping[str, Sequence[float]]]) -> ZeroRate | None:
    """Pool the trainings at rate 0: `values` by their other settings, then by variant.

    Only settings that at least two variants share count; None if there are none.
    """
    groups = [by_variant for by_variant in values.values() if len(by_variant) > 1]
    if not groups:
        return None
    pooled = [np.asarray([value for several in group.values() for value in several]) for group in groups]
    squares = sum(float(((group - group.mean()) ** 2).sum()) for group in pooled)
    freedom = sum(len(group) - 1 for group in pooled)
    return ZeroRate(
        widest=max(float(np.ptp(group)) for group in pooled),
        deviation=float(np.sqrt(squares / freedom)),
        trainings=sum(map(len, pooled)),
        variants=tuple(sorted({variant for group in groups for variant in group})),
    )
