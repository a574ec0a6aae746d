"""Validation and training loss by epoch, of the best trial of every variant."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from service.reports.charts.chart import MARGIN, Chart, Figure, Trace, axis, band, figure, line, shown
from service.reports.charts.ends import named_ends, room_for
from service.reports.charts.scale import scaled
from service.reports.found.results import Results
from service.reports.markup import Html
from service.reports.sections.section import section
from service.reports.words.measured import training_loss

LEFT, RIGHT, WHOLE = (0.0, 0.44), (0.56, 1.0), (0.0, 1.0)  # parts of the width


def learning_curves(results: Results) -> Html | None:
    drawn = curve_charts(results)
    return section("Learning curves", *shown(drawn)) if drawn else None


def curve_charts(results: Results) -> list[Chart]:
    drawn = curves_figure(results)
    if not drawn["data"]:
        return []
    caption = (
        "The best trial of each variant: on the left the validation loss, on the right "
        f"{training_loss(results.study.definition)}. "
    )
    caption += (
        "Curves are means over the seeds; a band reaches from the least to the greatest of them."
        if results.study.definition.repeats > 1
        else "Each trial was trained with one seed."
    )
    return [Chart("learning_curves", caption, drawn)]


def curves_figure(results: Results) -> Figure:
    """Two panels; the names stand at the ends of the lines, or in one legend."""
    left = _lines(results, "val_loss", {})
    right = _lines(results, "train_loss", {"xaxis": "x2", "yaxis": "y2"})
    names = {trace["legendgroup"] for _, trace in left}
    for _, trace in right:
        trace["showlegend"] = trace["legendgroup"] not in names
    y, upward = scaled("validation loss", _values(left))
    y2, upward2 = scaled("training loss", _values(right))
    ends = named_ends(right or left, is_log=bool(upward2 if right else upward))
    has_all = {variant for variant, _ in left} <= {variant for variant, _ in right or left}
    ends = ends if has_all else []
    more: dict[str, Any] = {"showlegend": False, "margin": MARGIN | {"r": room_for(ends)}} if ends else {}
    if right:
        more["xaxis2"] = axis("epoch", domain=RIGHT, rangemode="tozero")
        more["yaxis2"] = axis(y2, anchor="x2", **upward2)
    bands = [*_bands(results, "val_loss", left), *_bands(results, "train_loss", right)]
    return figure(
        [*bands, *(trace for _, trace in (*left, *right)), *ends],
        x="epoch",
        y=y,
        xaxis={"domain": LEFT if right else WHOLE, "rangemode": "tozero"},
        yaxis=upward,
        **more,
    )


def _lines(results: Results, metric: str, place: dict[str, Any]) -> list[tuple[str, Trace]]:
    """The metric by epoch, with its variant; a single epoch is a mark."""
    traces = []
    for variant in results.compared:
        every = results.mean_epochs(results.complete_of(variant)[0])
        epochs = [epoch for epoch in every if math.isfinite(epoch.metrics.get(metric, math.nan))]
        if epochs:
            numbers, values = [epoch.number for epoch in epochs], [epoch.metrics[metric] for epoch in epochs]
            alone: dict[str, Any] = {} if len(epochs) > 1 else {"mode": "markers"}
            traces.append((variant, line(variant, numbers, values, **alone, **place)))
    return traces


def _bands(results: Results, metric: str, lines: Sequence[tuple[str, Trace]]) -> list[Trace]:
    """From the least to the greatest of the seeds, where an epoch has several."""
    traces = []
    for variant, drawn in lines:
        by_epoch: dict[int, list[float]] = defaultdict(list)
        for epochs in results.epochs.of(results.complete_of(variant)[0].run_id).values():
            for epoch in epochs:
                if math.isfinite(value := epoch.metrics.get(metric, math.nan)):
                    by_epoch[epoch.number].append(value)
        several = sorted((number, values) for number, values in by_epoch.items() if len(values) > 1)
        if len(several) > 1:
            place = {name: drawn[name] for name in ("xaxis", "yaxis") if name in drawn}
            numbers, lows, highs = zip(*((number, min(v), max(v)) for number, v in several), strict=True)
            traces.append(band(variant, numbers, lows, highs, **place))
    return traces


def _values(lines: Sequence[tuple[str, Trace]]) -> list[float]:
    return [value for _, trace in lines for value in trace["y"]]
