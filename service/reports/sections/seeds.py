"""The variants compared under shared seeds: the valid protocol."""

from collections.abc import Sequence

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.charts.chart import Chart, Figure, figure, means, plain, shown
from service.reports.charts.critical_difference import critical_difference_figure
from service.reports.charts.look import look_of
from service.reports.found.comparison import ALPHA, Comparison, Differences, compare, differences_to_the_first
from service.reports.found.results import Results
from service.reports.markup import Html, element, join, table
from service.reports.sections.section import note, section, tag
from service.reports.words.conclusion import p_number, p_text
from service.reports.words.wording import DASH, decimal, listing, number, places_for, settings
from service.statistics import FEWEST_SEEDS, protected_p


def seeds(results: Results) -> Html | None:
    comparison = compare(results)
    if comparison is None or comparison.seeds < FEWEST_SEEDS:
        return None
    found = differences_to_the_first(comparison)
    test = found.test
    intro = (
        f"Friedman over {comparison.seeds} shared seeds: chi-squared {number(test.chi2)}, {p_text(test.p_value)}; "
        f"Kendall's W {test.kendall_w:.2f} (1 is the same order under every seed)."
    )
    return section(
        "Comparison under shared seeds",
        element("p", intro),
        _table(results, comparison, found),
        *shown(_charts(results, comparison, found)),
        note(_figured_out(found)),
    )


def seed_charts(results: Results) -> list[Chart]:
    """The critical-difference diagram and the paired differences, if there are enough seeds."""
    comparison = compare(results)
    if comparison is None or comparison.seeds < FEWEST_SEEDS:
        return []
    return _charts(results, comparison, differences_to_the_first(comparison))


def _charts(results: Results, comparison: Comparison, found: Differences) -> list[Chart]:
    metric, first = results.objective.metric, comparison.variants[found.order[0]]
    return [
        Chart(
            "critical_difference",
            "Critical-difference diagram: mean ranks over seeds, 1 is best. Variants joined by a bar cannot be told "
            "apart (Nemenyi at 5%, after Friedman's test).",
            critical_difference_figure(comparison.variants, found.test, ALPHA),
        ),
        Chart(
            "differences",
            f"Mean difference in {metric} to {first} over the shared seeds, with its 95% interval; "
            f"{'below' if results.maximize else 'above'} 0 is worse.",
            difference_figure(metric, comparison.variants, found),
        ),
    ]


def difference_figure(metric: str, variants: Sequence[str], found: Differences) -> Figure:
    """One row per variant: the mean difference to the first one with its interval, the best row at the top."""
    rows = [(variants[i], found.to_first[i]) for i in reversed(found.order[1:])]
    spans = [(difference.mean, difference.low, difference.high) for _, difference in rows]
    names = [plain(variant) for variant, _ in rows]
    marks = means(spans, names, [look_of(variant).colour for variant, _ in rows], size=11)
    shape = {"zeroline": True, "zerolinewidth": 2, "rangemode": "tozero"}
    return figure([marks], x=f"difference in {metric}", y="", height=110 + 34 * len(rows), xaxis=shape)


def _figured_out(found: Differences) -> str:
    return (
        "Ranks are taken within each seed, and Friedman's p-value comes from permuting them there. Each interval is "
        f"for one mean difference over seeds, by {listing(found.methods)}; only the test takes into account that "
        "several variants are compared, and no pair's p-value is below the test's. The effect is Hedges' g of the "
        "paired differences."
    )


def _table(results: Results, comparison: Comparison, found: Differences) -> Html:
    order = found.order
    p = protected_p(found.test)
    average = comparison.values.mean(axis=0)
    places = places_for(average.tolist())
    searched = results.study.definition.search_space

    def cells(i: int) -> list[Html | str]:
        trial, against = comparison.chosen[i], found.to_first.get(i)
        varied = {name: value for name, value in trial.params.items() if name in searched}
        said = f"trial {trial.number}: {settings(varied, without=VARIANT_PARAMETERS)}"
        head = [
            join((tag(trial.variant), element("small", said, class_="under"))),
            f"{found.test.mean_ranks[i]:.2f}",
            decimal(float(average[i]), places),
        ]
        if against is None:
            return [*head, DASH, DASH, DASH, DASH, DASH]
        won = against.higher if results.maximize else against.lower
        return [
            *head,
            decimal(against.mean, places),
            f"{decimal(against.low, places)} to {decimal(against.high, places)}",
            number(against.effect, 2),
            f"{won} of {comparison.seeds}",
            "< 0.001" if p[order[0], i] < 0.001 else p_number(float(p[order[0], i])),
        ]

    metric = results.objective.metric
    header = ["Variant and configuration", "Mean rank", f"Mean {metric}", "Difference to the first", "95% interval"]
    return table([*header, "Effect", "Seeds won", "Nemenyi p"], map(cells, order))
