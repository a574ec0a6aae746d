"""The confirmed configurations row by row: every fresh seed's value, and the difference to the best."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

from service.reports.charts.chart import ABOVE, GREY, Figure, Span, Trace, axis, figure, legend_key, means, plain
from service.reports.charts.look import look_of
from service.reports.found.confirmed import Confirmation, Confirmed
from service.reports.words.naming import told_apart, trials_of

LEFT, RIGHT = (0.0, 0.58), (0.62, 1.0)  # parts of the width
ROW = 38  # px
MOST_ROWS = 50  # more are not readable, and a picture of thousands is taller than matplotlib can draw
SEED, MEAN = -0.2, 0.1  # their height in a row, which is 1 high
WIDTH = 44  # of a row's name, in letters
PALE = 0.6  # opacity of a seed's dot
ONE_SEED, ONE_MEAN = "a fresh seed", "mean with its 95% interval"  # in the legend
DOT: dict[str, Any] = {"symbol": "circle", "size": 7, "opacity": PALE}
DIAMOND: dict[str, Any] = {"symbol": "diamond", "size": 10}
STAR: dict[str, Any] = {"symbol": "star", "size": 15}


def confirmation_figure(confirmed: Confirmation, first: str) -> Figure:
    """The best MOST_ROWS configurations, the best at the top; `first` names that one: "winner".

    The metric is on the left; the difference to the first configuration is on the right, if there are others.
    """
    shown = confirmed.found[:MOST_ROWS]
    metric, count = confirmed.metric, len(shown)
    traces = [
        _line_down(confirmed.winner.mean(metric), count, "x"),
        *(_seeds(one, metric, _height(i, count)) for i, one in enumerate(shown)),
        *_means(shown, [_span(one, metric) for one in shown], "x"),
        legend_key(ONE_SEED, **DOT),
        legend_key(ONE_MEAN, **DIAMOND),
        legend_key(f"the {first}", **STAR),
    ]
    labels = [_label(variant, own) for variant, own in told_apart(trials_of(confirmed))[:count]][::-1]
    named = {"tickvals": list(range(count)), "ticktext": labels, "showgrid": False, "zeroline": False}
    layout: dict[str, Any] = {
        "height": 110 + ROW * count,
        "legend": ABOVE,
        "margin": {"l": 60, "r": 28, "t": 44, "b": 48},
        "yaxis": named | {"range": _reach(count)},
    }
    if count == 1:
        return figure(traces, x=metric, y="", **layout)
    differences = [(0.0, 0.0, 0.0), *((one.mean, one.low, one.high) for one in confirmed.to_winner[: count - 1])]
    traces += [_line_down(0.0, count, "x2"), *_means(shown, differences, "x2")]
    to = first if confirmed.decision is None else "best of the others"
    beside = axis(f"difference to the {to}", domain=RIGHT, anchor="y", zeroline=False)
    return figure(traces, x=metric, y="", xaxis={"domain": LEFT}, xaxis2=beside, **layout)


def _label(variant: str, own: str) -> str:
    """The variant above its settings, if it needs them."""
    return plain(variant) + (f"<br>{plain(textwrap.shorten(own, WIDTH, placeholder=' ...'))}" if own else "")


def _height(place: int, count: int) -> int:
    """The height of a row; 0 is the bottom."""
    return count - 1 - place


def _reach(count: int) -> list[float]:
    """The range of heights of all rows."""
    return [-0.6, count - 0.4]


def _line_down(best: float, count: int, across: str) -> Trace:
    """A line through all rows at the first one's mean, to compare the others with."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [best, best],
        "y": _reach(count),
        "xaxis": across,
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _seeds(one: Confirmed, metric: str, height: int) -> Trace:
    values = one.figures[metric]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(values),
        "y": [height + SEED] * len(values),
        "text": [f"fresh seed {number}: {value:.4g}" for number, value in enumerate(values, start=1)],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": look_of(one.trial.variant).colour} | DOT,
        "legendgroup": ONE_SEED,
        "showlegend": False,
    }


def _span(one: Confirmed, metric: str) -> Span:
    around = one.interval(metric)
    return one.mean(metric), *((-math.inf, math.inf) if around is None else (around.low, around.high))


def _means(shown: Sequence[Confirmed], spans: Sequence[Span], across: str) -> list[Trace]:
    """Each configuration's mean in its row, where its interval is known; the first one has a mark of its own."""
    known = [i for i, span in enumerate(spans) if i and all(map(math.isfinite, span))]
    colours = [look_of(one.trial.variant).colour for one in shown]
    place = {"xaxis": across, "legendgroup": ONE_MEAN}
    return [
        means(
            [spans[i] for i in rows], [_height(i, len(shown)) + MEAN for i in rows], [colours[i] for i in rows], **mark
        )
        | place
        for rows, mark in (([0], STAR), (known, DIAMOND))
    ]
