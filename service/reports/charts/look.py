"""The look of a variant in every chart and table of a report."""

from dataclasses import dataclass
from functools import cache
from zlib import crc32

# Their contrast to both grounds of the page is 3 or more, and any two are 11 or more apart (CIEDE2000) for readers of
# normal vision, with deuteranopia and with protanopia: tests/reports/test_colours.py.
COLOURS = {
    "none": "#706868",
    "dropout": "#3890f0",
    "gaussian_dropout": "#007888",
    "dropconnect": "#20a080",
    "masksembles": "#806818",
    "pernodedrop-bernoulli": "#d07818",
    "pernodedrop-gaussian": "#5850f8",
    "pernodedrop-partial_gaussian": "#e01098",
    "pernodedrop-custom": "#c86058",
}
# Their marks, which tell them apart in grey as well.
OWN_MARKS = {
    "none": "circle",
    "dropout": "square",
    "gaussian_dropout": "triangle-up",
    "dropconnect": "cross",
    "masksembles": "triangle-down",
    "pernodedrop-bernoulli": "diamond",
    "pernodedrop-gaussian": "x",
    "pernodedrop-partial_gaussian": "star",
    "pernodedrop-custom": "hexagram",
}
SPARE = ("#5f7a8a", "#7a8f2a", "#b0567a", "#4c7fb0", "#c2703d", "#3f9188", "#8a6fb5")  # for kinds not listed above
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SHAPES = (
    "square",
    "triangle-up",
    "triangle-down",
    "cross",
    "x",
    "star",
    "triangle-left",
    "triangle-right",
    "pentagon",
    "hexagram",
    "diamond-tall",
    "star-triangle-up",
    "hexagon",
    "diamond",
    "circle",
)
OPEN = "-open"  # ends the name of a hollow mark
MARKS = (*SHAPES, *(shape + OPEN for shape in SHAPES))
FIXED, DYNAMIC = "-fixed", "-dynamic"
# Seven colours are too few for all others, so each of them has a mark as well. No two of these kinds have the same mark
# and colour, and no two of the METHODS the same mark. The order decides: add what is new to the end of KINDS, and all
# others stay as they are.
METHODS = (
    "r_drop",
    "shakeout",
    "standout",
    "ninr",
    "tabu",
    "variational_dropout",
    "sparse_variational_dropout",
    "concrete_dropout",
    "explicit",
    "implicit",
    "explicit_implicit",
    "averaged",
    "block_dropout",
    "spatial_dropout",
    "drop_block",
    "stochastic_depth",
    "zoneout",
    "variational_rnn_dropout",
    "gradient_noise",
)
NOISES = ("dropout", "gaussian_dropout", "dropconnect", "pernodedrop")
ADDED = ("none", "masks", "shared_masks", "isotropic", "approximate")
KINDS = (
    *METHODS,
    *(f"{method}-{noise}" for method in ("r_drop", "explicit", "implicit", "averaged") for noise in NOISES),
    *(f"explicit_implicit-{noise}" for noise in NOISES),
    *(f"{method}-{noise}-{form}" for method in METHODS[8:11:2] for noise in NOISES for form in ("label", "jvp")),
    *(f"averaged-{noise}-added_{added}" for noise in NOISES for added in ADDED),
    *(f"averaged-pernodedrop-k{masks}{end}" for masks in (2, 4, 8, 16) for end in ("", "-added_masks")),
    *(f"variational_dropout-{each}" for each in ("layer", "unit", "weight")),
    *(f"stochastic_depth-{each}" for each in ("row", "batch", "original")),
    *(f"pernodedrop-bernoulli-dynamic-groups{groups}" for groups in (1, 2, 4, 8, 16, 50)),
)


@dataclass(frozen=True)
class Look:
    """How a variant is drawn.

    Of the kinds in COLOURS the colour and the mark show the noise; dashes and hollow marks show a mask that is drawn
    once. All others are told apart by their marks.
    """

    colour: str
    dash: str
    symbol: str  # of its mark, which its lines have too


def look_of(variant: str) -> Look:
    """The variant's look, which its name alone decides: it is the same in every chart of every study."""
    kind = variant.removesuffix(FIXED).removesuffix(DYNAMIC)
    is_fixed = variant.endswith(FIXED)
    if kind in COLOURS or not kind:  # a trial that failed before its variant was known has no name
        mark = OWN_MARKS.get(kind, "circle") + (OPEN if is_fixed else "")
        return Look(COLOURS.get(kind) or _spare(kind), "dash" if is_fixed else "solid", mark)
    number = crc32(kind.encode())
    mark = _marks().get(kind) or MARKS[(number // len(SPARE) + len(SHAPES) * is_fixed) % len(MARKS)]
    return Look(_spare(kind), DASHES[number // len(SPARE) % len(DASHES)], mark)


def _spare(kind: str) -> str:
    return SPARE[crc32(kind.encode()) % len(SPARE)]


@cache
def _marks() -> dict[str, str]:
    """The marks of KINDS: of each the first one from its place on that is free in its colour."""
    found: dict[str, str] = {}
    taken = set[tuple[str, str]]()
    for place, kind in enumerate(KINDS):
        colour = _spare(kind)
        turned = (MARKS[(place + step) % len(MARKS)] for step in range(len(MARKS)))
        found[kind] = next(mark for mark in turned if (colour, mark) not in taken)
        taken.add((colour, found[kind]))
    return found
