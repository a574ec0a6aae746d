"""What a task measures beyond the usual figures, as a function of the drop rate."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from search_spaces.objective import ONE_MASK, metric_name, split_of
from service.reports.charts.chart import Chart, Figure, Trace, figure, line, points, shown, thinned, thinning
from service.reports.found.responses import RATE
from service.reports.found.results import Results
from service.reports.markup import Html
from service.reports.sections.section import section
from service.reports.words.wording import number, plural, settings
from service.storage.records import TrialRecord

USUAL = {"loss", "accuracy", "ece", "brier", "micro_f1"}
MOST = 12  # metrics with a chart
LINE_FROM, LINE_TO = 3, 30  # rates: fewer make no curve, more are single trials


def own_metrics(results: Results) -> Html | None:
    drawn = own_charts(results)
    return section("The task's own figures", *shown(drawn)) if drawn else None


def own_charts(results: Results) -> list[Chart]:
    """A chart for each metric of the validation split that only some tasks have, if there are two drop rates."""
    rated = {v: [trial for trial in trials if RATE in trial.params] for v, trials in results.complete.items()}
    if len({trial.params[RATE] for trials in rated.values() for trial in trials}) < 2:
        return []
    names = [name for name in _own(results) if name != results.objective.metric][:MOST]
    charts = []
    for place, name in enumerate(names, start=1):
        caption = (
            f"{name} of every complete trial after its last epoch, by its drop rate. A line joins a variant's means at "
            f"each rate.{_lacking(results, name, rated)}{thinning(rated)}"
        )
        charts.append(Chart(f"own_metric_{place}", caption, own_figure(results, name, rated)))
    return charts


def _last(results: Results, trial: TrialRecord, name: str) -> float:
    """The metric after the trial's last epoch; nan where a model has none, such as a correlation."""
    epochs = results.mean_epochs(trial)
    return epochs[-1].metrics.get(name, math.nan) if epochs else math.nan


def _lacking(results: Results, name: str, rated: Mapping[str, Sequence[TrialRecord]]) -> str:
    """The sentence on trials that the chart cannot show."""
    values = [_last(results, trial, name) for trials in rated.values() for trial in trials]
    lacking = len(values) - sum(map(math.isfinite, values))
    are = "is" if lacking == 1 else "are"
    return f" {plural(lacking, 'trial')} without a finite value {are} left out." if lacking else ""


def own_figure(results: Results, name: str, rated: dict[str, list[TrialRecord]]) -> Figure:
    traces: list[Trace] = []
    for variant, trials in thinned(rated).items():
        marks = []
        by_rate: dict[float, list[float]] = defaultdict(list)
        for trial in trials:
            value = _last(results, trial, name)
            if not math.isfinite(value):
                continue
            rate = float(trial.params[RATE])
            marks.append((rate, value, f"trial {trial.number}, {number(value)}, {settings(trial.params)}"))
            by_rate[rate].append(value)
        if marks:
            traces.append(points(variant, *zip(*marks, strict=True)))
        if LINE_FROM <= len(by_rate) <= LINE_TO:
            rates = sorted(by_rate)
            means = [fmean(by_rate[rate]) for rate in rates]
            traces.append(line(variant, rates, means, showlegend=False, opacity=0.5, hoverinfo="skip"))
    return figure(traces, x="drop rate", y=name)


def _own(results: Results) -> list[str]:
    metrics = (name.partition("_")[2] for name in results.epochs.names if split_of(name) == "val")
    own = (metric for metric in metrics if metric.removesuffix(ONE_MASK) not in USUAL and not metric.endswith(ONE_MASK))
    return sorted(metric_name("val", metric) for metric in own)
