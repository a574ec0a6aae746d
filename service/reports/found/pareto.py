"""Non-dominated fronts of trials with several objectives."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class _Front:
    """The second and third costs of a front's points that no other of its points undercuts in both.

    They form a staircase: the second costs rise and the third ones fall.
    """

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._thirds: list[float] = []

    def dominates(self, second: float, third: float) -> bool:
        """Whether a point of the front, all of which have no larger first cost, is nowhere worse."""
        before = bisect_right(self._seconds, second)
        return before > 0 and self._thirds[before - 1] <= third

    def add(self, second: float, third: float) -> None:
        """Add a point that the front does not dominate."""
        at = bisect_left(self._seconds, second)
        end = at
        while end < len(self._seconds) and self._thirds[end] >= third:
            end += 1
        self._seconds[at:end], self._thirds[at:end] = [second], [third]


def front_numbers(costs: Sequence[tuple[float, ...]]) -> list[int]:
    """The number of every point's non-dominated front: 0 is the Pareto front, and less is better.

    A point dominates another if it is nowhere worse and somewhere better. With one objective all numbers
    are 0, and the value itself has to decide. At most three objectives: n points take n log n steps.
    """
    if not costs or len(costs[0]) == 1:
        return [0] * len(costs)
    fronts: list[_Front] = []
    numbers: dict[tuple[float, ...], int] = {}
    for point in sorted(set(costs)):  # dominating points come earlier, and equal ones are one
        _, second, third = point if len(point) == 3 else (*point, 0.0)
        # A point of a front is dominated by one of the front before, so by one of every earlier front.
        number = bisect_left(fronts, True, key=lambda front: not front.dominates(second, third))
        if number == len(fronts):
            fronts.append(_Front())
        fronts[number].add(second, third)
        numbers[point] = number
    return [numbers[point] for point in costs]
