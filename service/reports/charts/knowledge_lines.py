"""What models know as lines: reliability, risk by coverage, and what a shift of the inputs does."""

from collections.abc import Mapping, Sequence
from typing import Any

from service.reports.charts.chart import MARGIN, Figure, Trace, axis, figure, line, marks_of
from service.reports.charts.ends import named_ends, room_for
from service.reports.charts.look import look_of
from service.reports.charts.panels import Panel, panels_figure
from service.statistics import Reliability

FEWEST_EVENTS = 10  # in a bin: fewer say nothing of a frequency
LEFT, RIGHT = (0.0, 0.46), (0.54, 1.0)  # parts of the width
Points = Sequence[tuple[float, float]]


def reliability_figure(found: Mapping[str, Reliability]) -> Figure:
    """A panel for every variant: in each bin of confidence the frequency with which the prediction was right."""
    return panels_figure(
        [Panel(variant, _bins(one), ()) for variant, one in found.items()],
        x="confidence",
        y="frequency",
        unit=True,
    )


def risk_figure(found: Mapping[str, Points]) -> Figure:
    """The share of errors (coverage, risk) among the most confident inputs, a line for every variant."""
    traces = {variant: _line(variant, points) for variant, points in found.items()}
    ends = named_ends(list(traces.items()))
    named: dict[str, Any] = {"showlegend": False, "margin": MARGIN | {"r": room_for(ends)}} if ends else {}
    return figure(
        [*traces.values(), *ends],
        x="share of the inputs that is answered, the most confident first",
        y="share of errors among them",
        xaxis={"range": [0, 1.04 if ends else 1], "tickformat": ".0%", "tickvals": [0, 0.2, 0.4, 0.6, 0.8, 1]},
        yaxis={"rangemode": "tozero"},
        **named,
    )


def shift_figure(calibration: Mapping[str, Points], auroc: Mapping[str, Points]) -> Figure:
    """By the level of a shift: on the left the calibration error, on the right the AUROC; a line for every variant."""
    place = {"xaxis": "x2", "yaxis": "y2"}
    left = [_line(variant, points) for variant, points in calibration.items()]
    right = [_line(variant, points, showlegend=variant not in calibration) | place for variant, points in auroc.items()]
    return figure(
        [*left, *right],
        x="level of the shift, 0 is none",
        y="calibration error (ECE)",
        xaxis={"domain": LEFT, "dtick": 1},
        yaxis={"rangemode": "tozero"},
        xaxis2=axis("level of the shift", domain=RIGHT, dtick=1),
        yaxis2=axis("AUROC", anchor="x2"),
    )


def _line(variant: str, points: Points, **more: object) -> Trace:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    hover = "%{x}: %{y:.4g}<extra>%{fullData.name}</extra>"
    return line(variant, xs, ys, mode="lines+markers", marker=marks_of(look_of(variant)), hovertemplate=hover, **more)


def _bins(one: Reliability) -> tuple[tuple[float, float], ...]:
    """The mean confidence and the frequency of every bin that has enough events."""
    bins = zip(one.counts.tolist(), one.confidence.tolist(), one.came_true.tolist(), strict=True)
    return tuple((given / count, true / count) for count, given, true in bins if count >= FEWEST_EVENTS)
