"""Who was still compared at each look of a confirmation, and how far from the best of the others."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from service.reports.charts.chart import GREY, Figure, Span, Trace, figure, legend_key, line, marks_of, plain
from service.reports.charts.look import look_of
from service.reports.found.confirmed import Confirmation

MOST_LINES = 24  # more cannot be told apart
SHARE = 0.6  # of the least distance of two looks: there the configurations of a look stand side by side
FAR = 3.0  # times the range of those that a second look compared: the rest may lie beyond the edge
MARGIN = 0.06  # of the range, at either edge
THICKNESS, CAP = 1.4, 3  # px of an interval's bar
DROPPED = "dropped here"  # in the legend
RING: dict[str, Any] = {"symbol": "circle-open", "size": 16}
Spans = Mapping[int, Sequence[tuple[int, Span]]]  # by the configuration's place: every look with its span


def survivors_figure(confirmed: Confirmation, names: Sequence[str]) -> Figure:
    """A line for each of the first MOST_LINES configurations from its first look to its last; `names` are theirs.

    There is at least one look that compared two of them.
    """
    spans = _spans(confirmed)
    looks = sorted({seeds for several in spans.values() for seeds, _ in several})
    step = _width(looks) / len(spans)
    aside = {place: step * ((i + 1) // 2) * (-1) ** i for i, place in enumerate(spans)}  # the first in the middle
    traces = [_zero(looks)]
    for place, several in spans.items():
        name, variant = plain(names[place]), confirmed.compared[place].trial.variant
        xs, ys = [seeds + aside[place] for seeds, _ in several], [span[0] for _, span in several]
        traces.append(_line(name, variant, xs, several))
        if place in confirmed.dropped_after:
            traces.append(_ring(name, look_of(variant).colour, xs[-1], ys[-1]))
    if any(place in confirmed.dropped_after for place in spans):
        traces.append(legend_key(DROPPED, **RING))
    reach = _width(looks)
    return figure(
        traces,
        x="seeds",
        y=f"difference in {confirmed.metric}",
        xaxis={"tickvals": looks, "range": [looks[0] - reach, looks[-1] + reach], "zeroline": False},
        yaxis={"range": _range(spans), "zeroline": False},
    )


def beyond(confirmed: Confirmation) -> int:
    """How many of the lines begin beyond the edge of the figure."""
    spans = _spans(confirmed)
    low, high = _range(spans)
    return sum(not low <= several[0][1][0] <= high for several in spans.values())


def _spans(confirmed: Confirmation) -> Spans:
    several = {place: list(confirmed.spans(place)) for place in range(len(confirmed.compared))}
    return dict([(place, looks) for place, looks in several.items() if looks][:MOST_LINES])


def _width(looks: Sequence[int]) -> float:
    """The width in seeds that the configurations of a look share."""
    return SHARE * min((later - earlier for earlier, later in pairwise(looks)), default=1)


def _range(spans: Spans) -> list[float]:
    """The range of the differences; what the first look dropped far away does not flatten the rest."""
    whole = _ends([span for several in spans.values() for _, span in several])
    lasting = [span for several in spans.values() if len(several) > 1 for _, span in several]
    near = _ends(lasting) if lasting else whole
    low, high = near if whole[1] - whole[0] > FAR * (near[1] - near[0]) else whole
    margin = MARGIN * (high - low)
    return [low - margin, high + margin]


def _ends(spans: Sequence[Span]) -> tuple[float, float]:
    return min(0.0, *(low for _, low, _ in spans)), max(0.0, *(high for _, _, high in spans))


def _zero(looks: Sequence[int]) -> Trace:
    """A line at no difference."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [looks[0] - _width(looks), looks[-1] + _width(looks)],
        "y": [0.0, 0.0],
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _line(name: str, variant: str, xs: Sequence[float], several: Sequence[tuple[int, Span]]) -> Trace:
    spans = [span for _, span in several]
    return line(
        variant,
        xs,
        [mean for mean, _, _ in spans],
        mode="lines+markers",
        marker=marks_of(look_of(variant)) | {"maxdisplayed": 0},
        name=name,
        legendgroup=name,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [high - mean for mean, _, high in spans],
            "arrayminus": [mean - low for mean, low, _ in spans],
            "thickness": THICKNESS,
            "width": CAP,
            "color": look_of(variant).colour,
        },
        text=[f"{name}, {seeds} seeds: {m:.4g} ({low:.4g} to {high:.4g})" for seeds, (m, low, high) in several],
        hovertemplate="%{text}<extra></extra>",
    )


def _ring(name: str, colour: str, x: float, y: float) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [x],
        "y": [y],
        "marker": {"color": colour} | RING,
        "legendgroup": name,
        "showlegend": False,
        "hoverinfo": "skip",
    }
