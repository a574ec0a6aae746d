"""How many seeds would show a difference of the size that was seen."""

import math

from service.statistics.all_pairs import ALPHA
from service.statistics.laws import noncentral_student_tail, student_quantile

POWER = 0.8  # of the studies that have so many seeds, the share that would show the difference
MOST = 1_000  # seeds; beyond it the difference hardly matters
LARGEST_EFFECT = 1e6  # standard deviations: two seeds show it, and beyond it the distribution is not computed


def seeds_needed(difference: float, deviation: float, configurations: int, most: int = MOST) -> int | None:
    """The least number of seeds at which the interval of a paired difference excludes 0 in 80 % of studies.

    The differences under single seeds are normal with mean `difference` and standard deviation `deviation` > 0. The
    interval is Student's t with Bonferroni's share of 5 % for one of all pairs of `configurations` >= 2: that of
    `AllPairs` without the degrees of freedom that other pairs lend it, so the number is rather too large than too
    small. The power is that of the noncentral t distribution, on the side of the difference alone.
    None: more than `most`, which is always so where the difference is 0.

    Raises:
        ValueError: fewer than two configurations, or a deviation that is not positive and finite.
    """
    if configurations < 2:
        raise ValueError(f"a difference needs at least 2 configurations, got {configurations}")
    if not (math.isfinite(deviation) and deviation > 0):
        raise ValueError(f"the standard deviation of the differences must be positive and finite, got {deviation}")
    effect = min(abs(difference) / deviation, LARGEST_EFFECT)
    if _power(effect, most, configurations) < POWER:
        return None
    low, high = 1, most  # the power rises with the seeds; one seed has none
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _power(effect, middle, configurations) >= POWER else (middle, high)
    return high


def _power(effect: float, seeds: int, configurations: int) -> float:
    """The chance that the interval lies wholly on the difference's side of 0."""
    tail = ALPHA / math.comb(configurations, 2) / 2
    reach = -student_quantile(tail, seeds - 1)
    return noncentral_student_tail(reach, seeds - 1, effect * math.sqrt(seeds))
