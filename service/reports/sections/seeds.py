"""The variants compared under shared seeds: the valid protocol."""

from service.reports.charts import Figure, chart, figure, plain
from service.reports.comparison import ALPHA, Comparison, compare
from service.reports.conclusion import p_text
from service.reports.critical_difference import critical_difference_figure
from service.reports.markup import Html, element, join, table
from service.reports.results import Results
from service.reports.sections.section import note, section, tag
from service.reports.statistics import (
    FEWEST_SEEDS,
    Friedman,
    PairedDifference,
    paired_difference,
    pairwise_p,
)
from service.reports.variants import look_of
from service.reports.wording import DASH, decimal, number, places_for, settings

FIGURED_OUT = (
    "Ranks are taken within each seed, and Friedman's p-value comes from permuting them there. The intervals are BCa "
    "bootstrap intervals of the mean difference over seeds; with few seeds they are too narrow, so trust the test "
    "rather than them. The effect is Hedges' g of the paired differences."
)


def seeds(results: Results) -> Html | None:
    comparison = compare(results)
    if comparison is None or comparison.seeds < FEWEST_SEEDS:
        return None
    test = comparison.test()
    order = sorted(range(len(comparison.variants)), key=lambda i: test.mean_ranks[i])
    differences = {i: paired_difference(comparison.values[:, i], comparison.values[:, order[0]]) for i in order[1:]}
    told = (
        f"Friedman over {comparison.seeds} shared seeds: chi-squared {number(test.chi2)}, {p_text(test.p_value)}; "
        f"Kendall's W {test.kendall_w:.2f} (1 would be the same order under every seed)."
    )
    return section(
        "Comparison under shared seeds",
        element("p", told),
        _table(results, comparison, test, order, differences),
        chart(
            critical_difference_figure(comparison.variants, test.mean_ranks, comparison.seeds, ALPHA),
            "Critical-difference diagram: mean ranks over seeds, 1 is best. Variants that a bar joins cannot be told "
            "apart (Nemenyi at 5%).",
        ),
        chart(
            difference_figure(results, comparison, order, differences),
            f"Difference in {results.objective.metric} to {comparison.variants[order[0]]}, seed by seed, with its "
            f"bootstrap interval; {'below' if results.maximize else 'above'} 0 is worse.",
        ),
        note(FIGURED_OUT),
    )


def _table(
    results: Results,
    comparison: Comparison,
    test: Friedman,
    order: list[int],
    differences: dict[int, PairedDifference],
) -> Html:
    p = pairwise_p(test.mean_ranks, comparison.seeds)
    means = comparison.values.mean(axis=0)
    places = places_for(means.tolist())
    searched = results.study.definition.search_space

    def cells(i: int) -> list[Html | str]:
        trial, against = comparison.chosen[i], differences.get(i)
        shown = {name: value for name, value in trial.params.items() if name in searched and name not in NAMES}
        configuration = element("small", f"trial {trial.number}: {settings(shown)}", class_="under")
        head = [
            join((tag(trial.variant, look_of(trial.variant).colour), configuration)),
            f"{test.mean_ranks[i]:.2f}",
            decimal(float(means[i]), places),
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
            "< 0.001" if p[order[0], i] < 0.001 else f"{p[order[0], i]:.3f}",
        ]

    metric = results.objective.metric
    header = ["Variant and configuration", "Mean rank", f"Mean {metric}", "Difference to the first", "95% interval"]
    return table([*header, "Effect", "Seeds won", "Nemenyi p"], map(cells, order))


NAMES = ("regularizer", "stir_type", "mask_mode")


def difference_figure(
    results: Results, comparison: Comparison, order: list[int], differences: dict[int, PairedDifference]
) -> Figure:
    """One row per variant: the mean difference to the first one with its interval, the best row at the top."""
    rows = list(reversed(order[1:]))
    marks = {
        "type": "scatter",
        "mode": "markers",
        "x": [differences[i].mean for i in rows],
        "y": [plain(comparison.variants[i]) for i in rows],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [differences[i].high - differences[i].mean for i in rows],
            "arrayminus": [differences[i].mean - differences[i].low for i in rows],
            "thickness": 2,
            "color": "#7d8590",
        },
        "marker": {"size": 11, "color": [look_of(comparison.variants[i]).colour for i in rows]},
        "hovertemplate": "%{x:.4g}<extra></extra>",
        "showlegend": False,
    }
    axis = {"zeroline": True, "zerolinewidth": 2, "rangemode": "tozero"}
    title = f"difference in {results.objective.metric}"
    return figure([marks], x=title, y="", height=110 + 34 * len(rows), xaxis=axis)
