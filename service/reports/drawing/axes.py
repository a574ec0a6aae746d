"""Titles, ranges and ticks of the axes."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis as Drawn
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

from service.reports.drawing.style import INK, LINE
from service.reports.drawing.traces import words

TICKS, STEPS = 7, (1, 2, 5, 10)  # at most 7, at multiples of these
Axis = Mapping[str, Any]  # plotly's


def dress(axes: Axes, x: Axis, y: Axis, rows: Mapping[str, int] | None) -> None:
    """Apply the figure's settings of both axes; `rows` are the categories of y with their heights."""
    if x.get("visible") is False:
        axes.set_axis_off()
    axes.set_xlabel(words(x["title"]["text"]))
    axes.set_ylabel(words(y["title"]["text"]))
    for scale, given, one in ((axes.set_xscale, x, axes.xaxis), (axes.set_yscale, y, axes.yaxis)):
        if given.get("type") == "log":
            scale("log")
            one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        else:
            one.set_major_locator(MaxNLocator(TICKS, steps=STEPS))
    axes.set_ylim(*_limits(axes.get_ylim(), y))
    if rows is not None:
        _name_rows(axes, list(rows.values()), list(rows))
        axes.set_ylim(-0.6, len(rows) - 0.4)
    elif "ticktext" in y:
        _name_rows(axes, y["tickvals"], [words(name) for name in y["ticktext"]])
    axes.set_xlim(*_limits(axes.get_xlim(), x))
    for given, one in ((x, axes.xaxis), (y, axes.yaxis)):
        if given.get("type") == "log" and "dtick" not in given:
            _tick_within_a_decade(one)
    if "tickvals" in x:
        axes.set_xticks(x["tickvals"], [str(value) for value in x["tickvals"]])
    if x.get("tickformat") == ".0%":
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if x.get("zeroline"):
        axes.axvline(0.0, color=LINE, linewidth=1.4, zorder=0.9)
    if y.get("showticklabels") is False:
        axes.tick_params(labelleft=False)


def _tick_within_a_decade(one: Drawn) -> None:
    """Ticks at steps that are as large, since no power of ten need lie there."""
    one.set_major_locator(MaxNLocator(TICKS, steps=STEPS))
    one.set_minor_locator(NullLocator())


def _name_rows(axes: Axes, heights: Sequence[float], names: Sequence[str]) -> None:
    axes.set_yticks(heights, names, color=INK)
    axes.grid(visible=False, axis="y")


def stretch_matched(panels: Mapping[tuple[str, str], Axes], layout: Mapping[str, Any]) -> None:
    """Give the axes that match the first one its limits, wide enough for all."""
    across = [a for (x, _), a in panels.items() if x == "x" or layout[f"xaxis{x[1:]}"].get("matches") == "x"]
    upward = [a for (_, y), a in panels.items() if y == "y" or layout[f"yaxis{y[1:]}"].get("matches") == "y"]
    for axes, limits in [(axes, _union([a.get_xlim() for a in across])) for axes in across]:
        axes.set_xlim(*limits)
    for axes, limits in [(axes, _union([a.get_ylim() for a in upward])) for axes in upward]:
        axes.set_ylim(*limits)


def _limits(found: tuple[float, float], axis: Axis) -> tuple[float, float]:
    if "range" in axis:
        low, high = axis["range"]
        return low, high
    if axis.get("rangemode") == "tozero":
        return min(0.0, found[0]), max(0.0, found[1])
    return found


def _union(several: list[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _ in several), max(high for _, high in several)
