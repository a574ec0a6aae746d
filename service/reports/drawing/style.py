"""The look of pictures: the page's light theme."""

from typing import Any

INK, QUIET, LINE, GRID = "#1b2330", "#566170", "#d5dae1", "#e8ebf0"  # as in tokens.css
PIXELS_PER_INCH = 100  # a figure's height is given in pixels of the page
POINTS = 72 / PIXELS_PER_INCH  # per pixel: lines, marks and letters are measured in points

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a study's text is a dollar sign
    "svg.hashsalt": "pernodedrop",  # otherwise the ids in it differ between drawings
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.labelcolor": QUIET,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "legend.labelspacing": 0.55,
}
DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": (0, (4, 2.5)),
    "dot": (0, (1, 1.8)),
    "dashdot": (0, (4, 2, 1, 2)),
    "longdash": (0, (8, 2.5)),
    "longdashdot": (0, (8, 2, 1, 2)),
}
MARKS: dict[str, Any] = {
    "circle": "o",
    "diamond": "D",
    "line-ns": "|",
    "square": "s",
    "star": "*",
    "triangle-up": "^",
    "triangle-down": "v",
    "triangle-left": "<",
    "triangle-right": ">",
    "cross": "P",
    "x": "X",
    "pentagon": "p",
    "hexagon": "h",
    "hexagram": (6, 1, 0),  # a star of six points
    "star-triangle-up": (3, 1, 0),
    "diamond-tall": "d",
}
OPEN = "-open"  # ends the name of a hollow mark
