"""Validation and training loss by epoch, of the best trial of every variant."""

from typing import Any

from service.reports.charts.chart import Chart, Figure, Trace, axis, figure, line, shown
from service.reports.found.results import Results
from service.reports.markup import Html
from service.reports.sections.section import section

LEFT, RIGHT = (0.0, 0.46), (0.54, 1.0)  # parts of the width


def learning_curves(results: Results) -> Html | None:
    drawn = curve_charts(results)
    return section("Learning curves", *shown(drawn)) if drawn else None


def curve_charts(results: Results) -> list[Chart]:
    drawn = curves_figure(results)
    if not drawn["data"]:
        return []
    caption = (
        "The best trial of each variant: on the left the validation loss, on the right the loss of the whole training "
        "set, measured without noise at the end of the epoch. Curves are means over the seeds."
    )
    return [Chart("learning_curves", caption, drawn)]


def curves_figure(results: Results) -> Figure:
    """Two panels with one legend."""
    left = _curves(results, "val_loss", {})
    shown = {trace["legendgroup"] for trace in left}
    right = _curves(results, "train_loss", {"xaxis": "x2", "yaxis": "y2"})
    for trace in right:
        trace["showlegend"] = trace["legendgroup"] not in shown
    return figure(
        left + right,
        x="epoch",
        y="validation loss",
        xaxis={"domain": LEFT, "rangemode": "tozero"},
        xaxis2=axis("epoch", domain=RIGHT, rangemode="tozero"),
        yaxis2=axis("training loss", anchor="x2"),
    )


def _curves(results: Results, metric: str, place: dict[str, Any]) -> list[Trace]:
    """The metric by epoch; a single epoch is a mark."""
    traces = []
    for variant in results.compared:
        epochs = [epoch for epoch in results.mean_epochs(results.complete_of(variant)[0]) if metric in epoch.metrics]
        if epochs:
            numbers, values = [epoch.number for epoch in epochs], [epoch.metrics[metric] for epoch in epochs]
            alone: dict[str, Any] = {} if len(epochs) > 1 else {"mode": "markers"}
            traces.append(line(variant, numbers, values, **alone, **place))
    return traces
