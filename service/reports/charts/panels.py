"""Small multiples: one panel for each variant on common axes, with the other variants' curves in grey behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.reports.charts.chart import GREY, Figure, Trace, axis, band, figure, line, plain

MOST_COLUMNS = 3
ROW = 170  # px: a panel's height with its title
GAP = 0.035  # between columns, of the width
TITLE, FOOT = 34, 30  # px: above and below a panel's axes
MARGIN = {"l": 60, "r": 16, "t": 28, "b": 40}


@dataclass(frozen=True)
class Panel:
    """One variant's curve."""

    variant: str
    curve: tuple[tuple[float, float], ...]  # (x, y)
    band: tuple[tuple[float, float, float], ...]  # (x, low, high) where there is an interval


def panels_figure(panels: Sequence[Panel], *, x: str, y: str, unit: bool = False) -> Figure:
    """The panels in rows of three, in the given order; at least one. `unit`: axes from 0 to 1, with the diagonal."""
    columns = min(MOST_COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    height = rows * (ROW + TITLE + FOOT) + MARGIN["t"] + MARGIN["b"]
    traces: list[Trace] = []
    titles: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    for i, panel in enumerate(panels):
        across, upward = _domains(i, columns, rows)
        number = str(i + 1) if i else ""
        is_lowest, is_leftmost = i + columns >= len(panels), i % columns == 0
        below = axis(x if is_lowest else "", domain=across, anchor=f"y{number}")
        beside = axis(y if is_leftmost else "", domain=upward, anchor=f"x{number}", showticklabels=is_leftmost)
        ends = {"range": [0, 1.03]} if unit else {}
        layout[f"xaxis{number}"] = below | ends | ({"matches": "x"} if i else {})
        layout[f"yaxis{number}"] = beside | ends | ({"matches": "y"} if i else {})
        titles.append(_title(panel.variant, left=across[0], top=upward[1]))
        place = {"xaxis": f"x{number}", "yaxis": f"y{number}"}
        traces += [_diagonal() | place] if unit else []
        traces += _traces(panel, panels, place)
    return figure(traces, height=height, showlegend=False, annotations=titles, margin=MARGIN, x=x, y=y, **layout)


def _domains(i: int, columns: int, rows: int) -> tuple[list[float], list[float]]:
    """The parts of the width and of the height that the panel's axes take."""
    row, column = divmod(i, columns)
    left, width = column * (1 + GAP) / columns, (1 + GAP) / columns - GAP
    title, foot = TITLE / (ROW + TITLE + FOOT), FOOT / (ROW + TITLE + FOOT)
    return [left, left + width], [1 - (row + 1 - foot) / rows, 1 - (row + title) / rows]


def _traces(panel: Panel, panels: Sequence[Panel], place: dict[str, str]) -> list[Trace]:
    xs, ys = _columns(panel.curve)
    own = line(panel.variant, xs, ys, mode="lines+markers", hovertemplate="%{x}: %{y:.4g}<extra></extra>")
    around = []
    if len(panel.band) > 1:
        rates, lows, highs = (list(column) for column in zip(*panel.band, strict=True))
        around = [band(panel.variant, rates, lows, highs)]
    behind = [_others([other.curve for other in panels if other is not panel])] if len(panels) > 1 else []
    return [trace | place for trace in (*behind, *around, own)]


def _others(curves: Sequence[tuple[tuple[float, float], ...]]) -> Trace:
    """Curves in grey as one trace, with a gap after each."""
    apart = [point for curve in curves for point in (*curve, (None, None))]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _ in apart],
        "y": [y for _, y in apart],
        "line": {"color": GREY, "width": 1},
        "opacity": 0.35,
        "hoverinfo": "skip",
    }


def _diagonal() -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [0, 1],
        "y": [0, 1],
        "line": {"color": GREY, "width": 1, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _title(variant: str, left: float, top: float) -> dict[str, Any]:
    return {
        "text": f"<b>{plain(variant)}</b>",
        "x": left,
        "y": top,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 11},
    }
