"""What lies between the first variant of a comparison and each of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.reports.charts import Figure, figure, means, plain
from service.reports.comparison import Comparison
from service.reports.statistics import Friedman, PairedDifference, paired_difference
from service.reports.variants import look_of


@dataclass(frozen=True)
class Differences:
    """All variants against the one of the best mean rank."""

    test: Friedman
    order: tuple[int, ...]  # the comparison's variants by mean rank, the best first
    to_first: Mapping[int, PairedDifference]  # of every other variant

    @property
    def methods(self) -> list[str]:
        """By which the intervals were computed."""
        return sorted({difference.method for difference in self.to_first.values()})


def differences_to_the_first(comparison: Comparison) -> Differences:
    test = comparison.test()
    order = tuple(sorted(range(len(comparison.variants)), key=lambda i: test.mean_ranks[i]))
    first = comparison.values[:, order[0]]
    return Differences(test, order, {i: paired_difference(comparison.values[:, i], first) for i in order[1:]})


def difference_figure(metric: str, variants: Sequence[str], found: Differences) -> Figure:
    """One row per variant: the mean difference to the first one with its interval, the best row at the top."""
    rows = [(variants[i], found.to_first[i]) for i in reversed(found.order[1:])]
    spans = [(difference.mean, difference.low, difference.high) for _, difference in rows]
    names = [plain(variant) for variant, _ in rows]
    marks = means(spans, names, [look_of(variant).colour for variant, _ in rows], size=11)
    shape = {"zeroline": True, "zerolinewidth": 2, "rangemode": "tozero"}
    return figure([marks], x=f"difference in {metric}", y="", height=110 + 34 * len(rows), xaxis=shape)
