"""Non-dominated fronts of trials with several objectives."""

from collections.abc import Sequence

import numpy as np


def front_numbers(costs: Sequence[tuple[float, ...]]) -> list[int]:
    """The number of every point's non-dominated front: 0 is the Pareto front, and less is better.

    A point dominates another if it is nowhere worse and somewhere better. With one objective all numbers
    are 0, and the value itself has to decide.
    """
    if not costs or len(costs[0]) == 1:
        return [0] * len(costs)
    points = np.asarray(costs, dtype=np.float64)
    order = np.lexsort(points.T[::-1])  # by the first cost, then the second...: dominating points come earlier
    points = points[order]
    fronts = np.zeros(len(points), dtype=np.int64)
    for i, point in enumerate(points):
        earlier = points[:i]
        dominates = (earlier <= point).all(axis=1) & (earlier < point).any(axis=1)
        fronts[i] = fronts[:i].max(initial=-1, where=dominates) + 1
    numbers = np.empty_like(fronts)
    numbers[order] = fronts
    return numbers.tolist()
