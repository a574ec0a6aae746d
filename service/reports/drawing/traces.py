"""Plotly's traces as matplotlib's artists: lines, marks with error bars, areas, words, and horizontal bars."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from service.reports.charts.chart import Trace
from service.reports.drawing.style import DASHES, INK, MARKS, OPEN, POINTS

Categories = dict[str, dict[str, int]]  # by the name of a y axis: its rows of words, with their heights
GAP = 4  # px between a point and its text
ALIGNMENT = {  # plotly's text position: matplotlib's alignment, and the offset from the point
    "middle left": ("right", "center", (-GAP, 0)),
    "middle right": ("left", "center", (GAP, 0)),
    "top center": ("center", "bottom", (0, GAP)),
    "top right": ("left", "bottom", (0, GAP)),
}


@dataclass(frozen=True)
class BarExtent:
    """The part of its row, which is 1 high, that a bar takes."""

    middle: float  # from the row's middle
    thickness: float


def add_trace(axes: Axes, trace: Trace, categories: Categories, extent: BarExtent) -> None:
    """Draw the trace; `extent` is for bars, which share a row with the other bars of their panel."""
    ys = _heights(trace, categories)
    if trace["type"] == "bar":
        return _bars(axes, trace, ys, extent)
    xs = _numbers(trace["x"])
    mode, opacity = trace["mode"], trace.get("opacity", 1.0)
    if trace.get("fill") == "toself":
        axes.fill(xs, ys, color=trace["fillcolor"], alpha=opacity, linewidth=0)
        return None
    if "lines" in mode:
        axes.plot(xs, ys, alpha=opacity, clip_on=trace.get("cliponaxis", True), **_line_style(trace))
    for name in ("error_x", "error_y"):
        if name in trace:
            bar = trace[name]
            reach = (bar["arrayminus"], bar["array"])
            aside, above = (reach, None) if name == "error_x" else (None, reach)
            style: dict[str, Any] = {
                "fmt": "none",
                "ecolor": bar["color"],
                "elinewidth": bar["thickness"],
                "capsize": 3,
            }
            axes.errorbar(xs, ys, xerr=aside, yerr=above, **style)
    if "markers" in mode:
        _marks(axes, trace, xs, ys)
    if "text" in mode:
        across, upward, way = ALIGNMENT[trace["textposition"]]
        for x, y, said in zip(xs, ys, trace["text"], strict=True):
            axes.annotate(words(said), (x, y), way, textcoords="offset points", ha=across, va=upward, color=INK)
    return None


def legend_handle(trace: Trace) -> Artist:
    """The trace's mark in the legend."""
    style: dict[str, Any] = _line_style(trace) if "lines" in trace["mode"] else {"linestyle": "none"}
    if "markers" in trace["mode"]:
        marker, (mark, hollow) = trace.get("marker", {}), _symbol(trace)
        colour = marker.get("color", style.get("color"))
        style |= {"marker": mark, "markersize": marker.get("size", 8) * POINTS, "alpha": marker.get("opacity", 1.0)}
        style |= {"markeredgecolor": colour, "markerfacecolor": "none" if hollow else colour}
    return Line2D([], [], label=words(trace["name"]), **style)


def words(said: str) -> str:
    """Plotly's text without its markup."""
    return html.unescape(re.sub(r"</?b>", "", said).replace("<br>", "\n"))


def _heights(trace: Trace, categories: Categories) -> list[float]:
    if not all(isinstance(y, str) for y in trace["y"]):
        return _numbers(trace["y"])
    rows = categories.setdefault(trace.get("yaxis", "y"), {})
    return [float(rows.setdefault(words(name), len(rows))) for name in trace["y"]]


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [math.nan if value is None else float(value) for value in values]


def _line_style(trace: Trace) -> dict[str, Any]:
    line: Mapping[str, Any] = trace.get("line", {})
    return {
        "color": line.get("color", INK),
        "linestyle": DASHES[line.get("dash", "solid")],
        "linewidth": line.get("width", 2) * POINTS,
        "drawstyle": "steps-post" if line.get("shape") == "hv" else "default",
    }


def _marks(axes: Axes, trace: Trace, xs: list[float], ys: list[float]) -> None:
    marker: Mapping[str, Any] = trace.get("marker", {})
    mark, hollow = _symbol(trace)
    most = marker.get("maxdisplayed", 0)
    if most:
        every = math.ceil(len(xs) / most)
        xs, ys = xs[::every], ys[::every]
    colours = marker.get("color", trace.get("line", {}).get("color", INK))
    outline = {"facecolors": "none", "edgecolors": colours, "linewidths": 1.1}
    axes.scatter(
        xs,
        ys,
        s=(marker.get("size", 6) * POINTS) ** 2,
        marker=mark,
        alpha=marker.get("opacity", 1.0),
        clip_on=trace.get("cliponaxis", True),
        zorder=2.5,
        **(outline if hollow else {"c": colours, "linewidths": 1.1 if mark == "|" else 0.0}),
    )


def _symbol(trace: Trace) -> tuple[Any, bool]:
    """The mark, and whether it is hollow."""
    symbol = trace.get("marker", {}).get("symbol", "circle")
    return MARKS[symbol.removesuffix(OPEN)], symbol.endswith(OPEN)


def _bars(axes: Axes, trace: Trace, ys: list[float], extent: BarExtent) -> None:
    middles = [y + extent.middle for y in ys]
    lengths = _numbers(trace["x"])
    axes.barh(
        middles,
        lengths,
        height=0.92 * extent.thickness,
        color=trace["marker"]["color"],
        alpha=trace.get("opacity", 1.0),
    )
    for x, y, said in zip(lengths, middles, trace.get("text", ()), strict=False):
        axes.annotate(words(said), (x, y), (GAP, 0), textcoords="offset points", va="center", color=INK)
