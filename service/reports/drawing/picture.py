"""A figure's panels with their traces, axes, titles and the legend."""

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from service.reports.charts.chart import Figure, Trace
from service.reports.drawing.axes import dress, stretch_matched
from service.reports.drawing.style import INK, PIXELS_PER_INCH
from service.reports.drawing.traces import BarExtent, Categories, add_trace, legend_handle, words

WIDTH, WIDTH_BESIDE_LEGEND = 940, 720  # px of the panels
GAP_BETWEEN_BARS = 0.2  # plotly's, as a share of a row
BEYOND = 1.02  # where the legend begins, in widths of the panels
Panels = dict[tuple[str, str], Axes]  # by the names of their axes, such as ("x", "y2")


def picture_of(figure: Figure) -> Picture:
    """The figure as matplotlib's; saving it computes the margins."""
    layout, traces = figure["layout"], figure["data"]
    named = {
        words(trace.get("legendgroup", trace.get("name", ""))): trace
        for trace in reversed(traces)
        if _is_in_legend(trace)
    }
    has_legend = layout.get("showlegend", len(named) > 1)
    is_above = layout["legend"].get("orientation") == "h"
    margin, width = layout["margin"], WIDTH_BESIDE_LEGEND if has_legend and not is_above else WIDTH
    height = layout["height"] - margin["t"] - margin["b"]
    picture = Picture(figsize=(width / PIXELS_PER_INCH, max(height, 60) / PIXELS_PER_INCH))
    panels = _panels(picture, figure)
    categories: Categories = {}
    for trace in traces:
        add_trace(panels[_place(trace)], trace, categories, _bar_extent(trace, figure))
    for (x, y), axes in panels.items():
        dress(axes, layout[_key("x", x)], layout[_key("y", y)], categories.get(y))
    stretch_matched(panels, layout)
    for annotation in layout.get("annotations", ()):
        picture.text(annotation["x"], annotation["y"], words(annotation["text"]), va="bottom", weight="bold", color=INK)
    if has_legend:
        _legend(picture, [legend_handle(named[name]) for name in reversed(named)], is_above=is_above)
    return picture


def _is_in_legend(trace: Trace) -> bool:
    """Whether the legend has an entry for the trace."""
    return bool(trace.get("name")) and trace.get("showlegend", True)


def _panels(picture: Picture, figure: Figure) -> Panels:
    """A panel for every pair of axes with a trace; of panels that share a y axis, the first has its labels."""
    layout, panels = figure["layout"], Panels()
    for trace in figure["data"]:
        x, y = place = _place(trace)
        if place in panels:
            continue
        left, right = layout[_key("x", x)].get("domain", (0, 1))
        bottom, top = layout[_key("y", y)].get("domain", (0, 1))
        first = next((axes for (_, other), axes in panels.items() if other == y), None)
        axes = picture.add_axes((left, bottom, right - left, top - bottom), sharey=first)
        axes.tick_params(labelleft=first is None)
        panels[place] = axes
    return panels


def _bar_extent(trace: Trace, figure: Figure) -> BarExtent:
    """The trace's part of a row: the bars of a panel share each row, the first at the bottom."""
    bars = [bar for bar in figure["data"] if bar["type"] == "bar" and _place(bar) == _place(trace)]
    if trace not in bars:
        return BarExtent(0.0, 1.0)
    thickness = (1 - figure["layout"].get("bargap", GAP_BETWEEN_BARS)) / len(bars)
    return BarExtent((bars.index(trace) - (len(bars) - 1) / 2) * thickness, thickness)


def _legend(picture: Picture, handles: list[Artist], *, is_above: bool) -> None:
    if is_above:
        picture.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles))
    else:
        picture.legend(handles=handles, loc="upper left", bbox_to_anchor=(BEYOND, 1.0), borderaxespad=0.0)


def _place(trace: Trace) -> tuple[str, str]:
    return trace.get("xaxis", "x"), trace.get("yaxis", "y")


def _key(letter: str, name: str) -> str:
    """ "xaxis2" of "x2"."""
    return f"{letter}axis{name[1:]}"
