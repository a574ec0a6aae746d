"""Names at the ends of lines, in place of a legend, where there is room for them."""

import math
from collections.abc import Sequence
from itertools import accumulate

from service.reports.charts.chart import FEW_NAMES, HEIGHT, Trace, marks_of
from service.reports.charts.look import look_of

LETTER = 7.2  # px, of the names
LINE = 17  # px from one name to the next
AXES = HEIGHT - 82  # px: the height of the axes without the margins
ASIDE = 0.03  # from the lines' end to the names, of the width
ROOM = 36  # px beside a name: its mark and a gap


def named_ends(lines: Sequence[tuple[str, Trace]], *, is_log: bool = False) -> list[Trace]:
    """A mark with a name for each (variant, line), beside its last point; names that would touch stand apart.

    [] where a legend serves better: for a single line or more than FEW_NAMES, where the lines do not end together, and
    where all are one level line, from which names apart would seem to be other values.
    """
    ends = {trace["x"][-1] for _, trace in lines}
    if not 1 < len(lines) <= FEW_NAMES or len(ends) > 1 or any(len(trace["x"]) < 2 for _, trace in lines):
        return []
    place = math.log10 if is_log else float
    values = [place(y) for _, trace in lines for y in trace["y"] if math.isfinite(y)]
    if not values or min(values) == max(values) or not all(math.isfinite(trace["y"][-1]) for _, trace in lines):
        return []
    first, last = min(trace["x"][0] for _, trace in lines), ends.pop()
    unit = (max(values) - min(values)) / AXES
    heights = _apart([place(trace["y"][-1]) for _, trace in lines], LINE * unit)
    return [
        _named(variant, trace, last + ASIDE * (last - first), 10**height if is_log else height)
        for (variant, trace), height in zip(lines, heights, strict=True)
    ]


def room_for(names: Sequence[Trace]) -> int:
    """The margin in px that the names need on the right."""
    return ROOM + round(LETTER * max(len(trace["text"][0]) for trace in names))


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """The heights, moved as little as keeps them `least` apart: groups of what would touch, each about its mean."""
    groups: list[list[int]] = []

    def bottom(group: list[int]) -> float:
        return sum(heights[i] for i in group) / len(group) - least * (len(group) - 1) / 2

    for i in sorted(range(len(heights)), key=lambda i: heights[i]):
        groups.append([i])
        while len(groups) > 1 and bottom(groups[-2]) + least * len(groups[-2]) > bottom(groups[-1]):
            upper = groups.pop()
            groups[-1] += upper
    moved: dict[int, float] = {}
    for group in groups:
        steps = accumulate([least] * (len(group) - 1), initial=bottom(group))
        moved |= dict(zip(group, steps, strict=True))
    return [moved[i] for i in range(len(heights))]


def _named(variant: str, line: Trace, x: float, y: float) -> Trace:
    axes = {name: line[name] for name in ("xaxis", "yaxis") if name in line}
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [x],
        "y": [y],
        "text": [f"\N{EN SPACE}{line['name']}"],
        "textposition": "middle right",
        "marker": {key: value for key, value in marks_of(look_of(variant)).items() if key != "maxdisplayed"},
        "legendgroup": line["legendgroup"],
        "showlegend": False,
        "hoverinfo": "skip",
        "cliponaxis": False,
    } | axes
