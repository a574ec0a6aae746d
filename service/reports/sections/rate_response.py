"""How the objective answers to the drop rate."""

from collections import defaultdict
from statistics import fmean

from service.reports.charts import Figure, chart, figure, line, points
from service.reports.markup import Html
from service.reports.results import Results, value_of
from service.reports.sections.history import described
from service.reports.sections.section import section
from service.storage.records import TrialRecord

RATE = "drop_rate"
LINE_FROM = 3  # rates: fewer make no curve


def rate_response(results: Results) -> Html | None:
    if len({trial.params.get(RATE) for trial in results.best_first} - {None}) < 2:
        return None
    caption = (
        f"{results.objective.metric} of every complete trial by its drop rate. A line joins a variant's means at each "
        "rate; its other settings vary from trial to trial."
    )
    return section("Response to the drop rate", chart(rate_figure(results), caption))


def rate_figure(results: Results) -> Figure:
    traces = []
    for variant in results.compared:
        trials = [trial for trial in results.complete_of(variant) if RATE in trial.params]
        marks = points(
            variant, [t.params[RATE] for t in trials], list(map(value_of, trials)), list(map(described, trials))
        )
        traces.append(marks)
        means = mean_by_rate(trials)
        if len(means) >= LINE_FROM:
            joined = line(variant, list(means), list(means.values()), hoverinfo="skip", showlegend=False, opacity=0.5)
            traces.append(joined)
    return figure(traces, x="drop rate", y=results.objective.metric)


def mean_by_rate(trials: list[TrialRecord]) -> dict[float, float]:
    """The mean first objective at every rate, rates rising."""
    values: dict[float, list[float]] = defaultdict(list)
    for trial in trials:
        values[float(trial.params[RATE])].append(value_of(trial))
    return {rate: fmean(values[rate]) for rate in sorted(values)}
