"""Charts as plotly's plain data: the page's own program draws them, in the colours of the reader's theme."""

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pernodedrop.visible import visible_lines
from service.reports.charts.look import Look, look_of
from service.reports.markup import Html, element, json_block

T = TypeVar("T")
Trace = dict[str, Any]
Figure = dict[str, Any]
Span = tuple[float, float, float]  # a mean with the bounds of its interval

HEIGHT, STANDOFF = 400, 10  # px
FEW_NAMES = 10  # in a legend; more stand close together,
LEGEND_ROW = 20  # px each, because a legend that scrolls is cut off in print
GREY = "#7d8590"  # of everything that is not a variant
MARGIN = {"l": 60, "r": 16, "t": 32, "b": 50}  # px
BAND = 0.16  # opacity
ABOVE = {"orientation": "h", "y": 1, "yanchor": "bottom", "font": {"size": 12}}  # a legend above the axes
MOST_MARKS = 8  # on a line
MOST_POINTS = 6000  # in a figure: more make a page slow and a picture no clearer


@dataclass(frozen=True)
class Chart:
    """A figure with its caption, and the name of its file."""

    name: str  # without a suffix
    caption: str
    figure: Figure


def figure(traces: Sequence[Trace], *, x: str, y: str, height: int = HEIGHT, **layout: Any) -> Figure:
    """A figure with titled axes; `layout` adds to its layout, and `xaxis` and `yaxis` in it add to the axes."""
    xaxis = axis(x) | layout.pop("xaxis", {})
    yaxis = axis(y) | layout.pop("yaxis", {})
    legend: dict[str, Any] = {"font": {"size": 12}}
    names = len({trace["legendgroup"] for trace in traces if "legendgroup" in trace})
    if names > FEW_NAMES and layout.get("showlegend", True) and "legend" not in layout:
        legend["tracegroupgap"] = 0
        height = max(height, LEGEND_ROW * names + 90)
    return {
        "data": list(traces),
        "layout": {
            "height": height,
            "margin": MARGIN,
            "hovermode": "closest",
            "legend": legend,
            **layout,
            "xaxis": xaxis,
            "yaxis": yaxis,
        },
    }


def chart(drawn: Figure, caption: str) -> Html:
    """The figure with its caption, which is what readers have of it who cannot see it."""
    return element(
        "figure",
        element(
            "div",
            json_block(drawn, height=drawn["layout"]["height"]),
            class_="chart",
            tabindex="0",  # on a narrow screen it scrolls
            role="group",
            aria_label="Chart",
        ),
        element("figcaption", caption),
    )


def shown(charts: Iterable[Chart]) -> list[Html]:
    """The charts as the page shows them."""
    return [chart(one.figure, one.caption) for one in charts]


def points(variant: str, xs: Sequence[Any], ys: Sequence[float | None], notes: Sequence[str]) -> Trace:
    """One mark per trial, in its variant's look, with a note that shows on hovering."""
    look = look_of(variant)
    return {
        "type": "scatter",
        "mode": "markers",
        "name": plain(variant),
        "legendgroup": plain(variant),
        "x": list(xs),
        "y": list(ys),
        "text": [plain(note) for note in notes],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 8, "opacity": 0.85},
    }


def line(variant: str, xs: Sequence[Any], ys: Sequence[float], **more: Any) -> Trace:
    """A line in its variant's look, with a few marks where they belong to it."""
    look = look_of(variant)
    trace = _line(variant, xs, ys, {"color": look.colour, "dash": look.dash, "width": 2})
    return trace | {"mode": "lines+markers", "marker": marks_of(look)} | more


def grey_line(name: str, xs: Sequence[Any], ys: Sequence[float], style: Mapping[str, Any]) -> Trace:
    """A line that is no variant's, in this style."""
    return _line(name, xs, ys, style) | {"hoverinfo": "skip"}


def marks_of(look: Look) -> dict[str, Any]:
    """The marks on a line."""
    return {"symbol": look.symbol, "size": 7, "maxdisplayed": MOST_MARKS, "color": look.colour}


def _line(name: str, xs: Sequence[Any], ys: Sequence[float], style: Mapping[str, Any]) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": plain(name),
        "legendgroup": plain(name),
        "x": list(xs),
        "y": list(ys),
        "line": dict(style),
    }


def band(variant: str, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], **more: Any) -> Trace:
    """The area between two lines, pale in its variant's colour; the legend shows and hides it with the variant."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [*xs, *reversed(xs)],
        "y": [*highs, *reversed(lows)],
        "fill": "toself",
        "fillcolor": look_of(variant).colour,
        "line": {"width": 0},
        "opacity": BAND,
        "legendgroup": plain(variant),
        "showlegend": False,
        "hoverinfo": "skip",
    } | more


def means(spans: Sequence[Span], ys: Sequence[Any], colours: Sequence[str], **marker: Any) -> Trace:
    """A mark for each mean, with a bar over its interval, where that is finite."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [mean for mean, _, _ in spans],
        "y": list(ys),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(high - mean) for mean, _, high in spans],
            "arrayminus": [_reach(mean - low) for mean, low, _ in spans],
            "thickness": 2,
            "color": GREY,
        },
        "marker": {"color": list(colours)} | marker,
        "text": [_told(span) for span in spans],
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _reach(length: float) -> float:
    """A bar's length; 0 where there is no bound: neither JSON nor a picture can show an infinite one."""
    return length if math.isfinite(length) else 0.0


def _told(span: Span) -> str:
    mean, low, high = span
    return f"{mean:.4g} ({low:.4g} to {high:.4g})" if math.isfinite(high - low) else f"{mean:.4g}, no interval"


def legend_key(name: str, **marker: Any) -> Trace:
    """A grey legend entry for all traces whose `legendgroup` is its name, of any variant."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "legendgroup": name,
        "x": [None],
        "y": [None],
        "marker": {"color": GREY} | marker,
    }


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with its title close by."""
    return {"title": {"text": plain(title), "standoff": STANDOFF}, "automargin": True, "ticklabelstandoff": 4} | more


def thinned(groups: Mapping[str, Sequence[T]]) -> dict[str, list[T]]:
    """Those of each variant's marks that a figure draws: all, or MOST_POINTS evenly spaced, the first included."""
    count = sum(map(len, groups.values()))
    share = min(1.0, MOST_POINTS / max(1, count))
    return {variant: [marks[i] for i in _spaced(len(marks), share)] for variant, marks in groups.items()}


def thinning(groups: Mapping[str, Sequence[object]]) -> str:
    """The sentence that says which of the trials, the best first, are drawn; "" where all are."""
    count = sum(map(len, groups.values()))
    if count <= MOST_POINTS:
        return ""
    drawn = sum(map(len, thinned(groups).values()))
    return (
        f" Of {count:,} trials {drawn:,} are drawn, evenly spaced in the ranking of their variant, the best included."
    )


def _spaced(count: int, share: float) -> list[int]:
    kept = min(count, math.ceil(count * share))
    return [i * count // kept for i in range(kept)]


def plain(words: str) -> str:
    """Escape text for a chart: plotly interprets some HTML in any text, and none may come from a study."""
    return html.escape(visible_lines(words.expandtabs(1)), quote=False)
