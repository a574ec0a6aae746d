"""The objective as a function of the drop rate."""

from service.reports.charts.chart import Chart, Figure, Trace, figure, line, points, shown, thinned, thinning
from service.reports.charts.panels import Panel, panels_figure
from service.reports.charts.scale import scaled
from service.reports.found.responses import RATE, Response, grouping, methods, responses
from service.reports.found.results import Results, value_of
from service.reports.markup import Html
from service.reports.sections.history import described
from service.reports.sections.section import note, section
from service.reports.words.wording import listing, plural
from service.storage.records import TrialRecord

LINE_FROM = 3  # rates: fewer make no curve
NO_INTERVAL = (
    "Every configuration was trained with one seed, so there is no interval: these points do not show how far "
    "chance alone moves them. A study with repeats: 5 or more shows it."
)


def rate_response(results: Results) -> Html | None:
    drawn = rate_charts(results)
    if not drawn:
        return None
    remark = note(NO_INTERVAL) if results.study.definition.repeats < 2 else None
    return section("Response to the drop rate", *shown(drawn), remark)


def rate_charts(results: Results) -> list[Chart]:
    """Every trial by its rate; with several seeds, also each variant by itself with intervals."""
    if len({trial.params.get(RATE) for trial in results.best_first} - {None}) < 2:
        return []
    answered = {variant: responses(results, variant) for variant in results.compared}
    metric = results.objective.metric
    everything = (
        f"{metric} of every complete trial by its drop rate. A line joins a variant's means at each rate; its other "
        f"settings vary from trial to trial.{grouping(results)}{thinning(_rated(results))}"
    )
    drawn = [Chart("rate_response", everything, rate_figure(results, answered))]
    curves = {v: several for v, several in answered.items() if len(several) >= LINE_FROM}
    used = methods(response for several in curves.values() for response in several)
    if not used:
        return drawn
    by_itself = (
        f"Mean {metric} at each drop rate, a panel for every variant with the others in grey. The band is the 95% "
        f"interval of the mean over {plural(results.study.definition.repeats, 'seed')} ({listing(used)}); seeds are "
        f"shared, so bands that overlap may still belong to variants that differ under every seed.{grouping(results)}"
    )
    return [*drawn, Chart("rate_intervals", by_itself, interval_figure(metric, curves))]


def rate_figure(results: Results, answered: dict[str, list[Response]]) -> Figure:
    traces: list[Trace] = []
    drawn = thinned(_rated(results))
    for variant, several in answered.items():
        traces.append(_marks(variant, drawn[variant]))
        if len(several) >= LINE_FROM:
            traces.append(_means(variant, several, showlegend=False, opacity=0.5))
    values = [] if results.maximize else [value_of(trial) for trials in drawn.values() for trial in trials]
    title, upward = scaled(results.objective.metric, values)
    return figure(traces, x="drop rate", y=title, yaxis=upward)


def _rated(results: Results) -> dict[str, list[TrialRecord]]:
    """The complete trials with a rate, by variant."""
    return {v: [trial for trial in trials if RATE in trial.params] for v, trials in results.complete.items()}


def interval_figure(metric: str, curves: dict[str, list[Response]]) -> Figure:
    """A panel for every variant."""
    return panels_figure(
        [
            Panel(
                variant,
                tuple((response.rate, response.mean) for response in several),
                tuple((r.rate, r.interval.low, r.interval.high) for r in several if r.interval is not None),
            )
            for variant, several in curves.items()
        ],
        x="drop rate",
        y=metric,
    )


def _marks(variant: str, trials: list[TrialRecord]) -> Trace:
    rates = [float(trial.params[RATE]) for trial in trials]
    return points(variant, rates, list(map(value_of, trials)), list(map(described, trials)))


def _means(variant: str, several: list[Response], **more: object) -> Trace:
    return line(variant, [r.rate for r in several], [r.mean for r in several], hoverinfo="skip", **more)
