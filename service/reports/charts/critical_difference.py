"""The critical-difference diagram of Demsar 2006 (JMLR 7): mean ranks, with bars over variants not told apart."""

from collections.abc import Sequence
from typing import Any

from service.reports.charts.chart import GREY, Figure, Trace, figure, plain
from service.reports.charts.look import look_of
from service.statistics import Friedman, critical_difference, indistinct_groups

GAP = "\N{EN SPACE}"  # unlike a plain space, it is kept at the ends of a text
STEP = 1.0  # between the rows of names; bars are half as far apart
OVERHANG = 0.06  # of a bar beyond its outermost ranks
HEADROOM = 2.4  # above the axis, for the ruler
ROW, NAME = 28, 290  # px: a row's height and a name's width


def critical_difference_figure(variants: Sequence[str], test: Friedman, alpha: float) -> Figure:
    """The better half of the names stands on the left, the other on the right, each with a line to its mean rank.

    One bar joins all where Friedman's test does not find at this level that they differ.
    """
    mean_ranks, count = test.mean_ranks, len(variants)
    difference = critical_difference(test.blocks, count, alpha)
    order = sorted(range(count), key=lambda i: mean_ranks[i])
    groups = indistinct_groups(mean_ranks, difference) if test.p_value < alpha else [tuple(order)]
    left, right = order[: (count + 1) // 2], order[(count + 1) // 2 :][::-1]
    top = -(0.5 + 0.5 * len(groups))
    traces = [_bar(mean_ranks, group, -0.5 * (row + 1)) for row, group in enumerate(groups)]
    for names, edge, side in ((left, 1.0, "left"), (right, float(count), "right")):
        for row, i in enumerate(names):
            traces.append(_arm(variants[i], mean_ranks[i], edge, top - STEP * row, side))
    traces += [_axis(count), _ruler(difference, count)]
    lowest = top - STEP * (len(left) - 1)
    return figure(
        traces,
        x="",
        y="",
        height=round(ROW * (HEADROOM - lowest) + 40),
        showlegend=False,
        margin={"l": NAME, "r": NAME, "t": 28, "b": 0},
        xaxis={"visible": False, "range": [0.95, count + 0.05], "fixedrange": True},
        yaxis={"visible": False, "range": [lowest - 0.6, HEADROOM], "fixedrange": True},
    )


def _axis(count: int) -> Trace:
    """The ranks from 1 to the number of variants."""
    ranks = [float(rank) for rank in range(1, count + 1)]
    return _line(ranks, [0.0] * count, width=1.5, color=GREY) | {
        "mode": "lines+markers+text",
        "marker": {"symbol": "line-ns", "size": 9, "color": GREY, "line": {"width": 1.5, "color": GREY}},
        "text": [f"{rank:.0f}" for rank in ranks],
        "textposition": "top center",
    }


def _arm(variant: str, rank: float, edge: float, height: float, side: str) -> Trace:
    """A line from the axis down to the name's row and out to its side."""
    look = look_of(variant)
    name, label = plain(variant), f"<b>{rank:.2f}</b>"
    text = f"{name}{GAP}{label}{GAP}" if side == "left" else f"{GAP}{label}{GAP}{name}"
    return _line([rank, rank, edge], [0, height, height], width=2, color=look.colour, dash=look.dash) | {
        "mode": "lines+text",
        "text": ["", "", text],
        "textfont": {"size": 12},
        "textposition": "middle left" if side == "left" else "middle right",
    }


def _bar(mean_ranks: Sequence[float], group: Sequence[int], height: float) -> Trace:
    ranks = [mean_ranks[i] for i in group]
    return _line([min(ranks) - OVERHANG, max(ranks) + OVERHANG], [height, height], width=6, color=GREY)


def _ruler(difference: float, count: int) -> Trace:
    """The critical difference as a length above the axis."""
    end = min(1 + difference, float(count))
    return _line([1, 1, end, end], [1.2, 1.6, 1.6, 1.2], width=1.5, color=GREY) | {
        "mode": "lines+text",
        "text": ["", f"critical difference {difference:.2f}", "", ""],
        "textposition": "top right",
    }


def _line(xs: list[float], ys: list[float], **style: Any) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": style,
        "hoverinfo": "skip",
        "cliponaxis": False,
    }
