"""A small sample of a variant's look beside its name."""

import math
from collections.abc import Mapping, Sequence

from service.reports.charts.look import OPEN, Look
from service.reports.markup import Html, element

Corners = Sequence[tuple[float, float]]


def _around(radii: Sequence[float], count: int, turned: float = 0.0) -> Corners:
    """`count` corners whose distances from the middle repeat `radii`; the first is at the top, turned to the right."""
    angles = [math.tau * (i / count) + math.radians(turned) for i in range(count)]
    return [(radii[i % len(radii)] * math.sin(a), -radii[i % len(radii)] * math.cos(a)) for i, a in enumerate(angles)]


_CROSS = [(-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35)]
_CROSS += [(-x, -y) for x, y in _CROSS]
CORNERS: Mapping[str, Corners] = {  # of each shape, in half its size
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle-up": _around([1.1], 3),
    "triangle-down": _around([1.1], 3, 180),
    "triangle-left": _around([1.1], 3, 270),
    "triangle-right": _around([1.1], 3, 90),
    "cross": _CROSS,
    "x": [((x - y) * math.sqrt(0.5), (x + y) * math.sqrt(0.5)) for x, y in _CROSS],
    "star": _around([1.2, 0.5], 10),
    "pentagon": _around([1.1], 5),
    "hexagram": _around([1.2, 0.65], 12),
    "diamond-tall": [(0, -1.2), (0.65, 0), (0, 1.2), (-0.65, 0)],
    "star-triangle-up": _around([1.3, 0.4], 6),
    "hexagon": _around([1.1], 6),
    "diamond": _around([1.15], 4),
    "circle": _around([1.0], 24),
}
DASH_ARRAYS = {"dash": "5 3", "dot": "1.5 2", "dashdot": "5 2 1.5 2", "longdash": "8 3", "longdashdot": "8 2 1.5 2"}
WIDTH, HEIGHT, SIZE = 30, 12, 4.5


def swatch_of(look: Look) -> Html:
    """Its line with its mark; it says nothing to a reader who cannot see."""
    corners = [
        f"{WIDTH / 2 + SIZE * x:.1f},{HEIGHT / 2 + SIZE * y:.1f}" for x, y in CORNERS[look.symbol.removesuffix(OPEN)]
    ]
    middle = str(HEIGHT / 2)
    return element(
        "svg",
        element(
            "line",
            x1="0",
            x2=str(WIDTH),
            y1=middle,
            y2=middle,
            stroke=look.colour,
            stroke_width="2",
            stroke_dasharray=DASH_ARRAYS.get(look.dash),
        ),
        element(
            "polygon",
            points=" ".join(corners),
            fill="var(--surface)" if look.symbol.endswith(OPEN) else look.colour,
            stroke=look.colour,
            stroke_width="1.4",
        ),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        class_="swatch",
        aria_hidden="true",
    )
