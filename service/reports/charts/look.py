"""The look of a variant in every chart and table of a report."""

from dataclasses import dataclass
from zlib import crc32

# Of medium lightness, to be legible on white and on near-black; colour-blind readers can tell them apart.
COLOURS = {
    "none": "#7d8590",
    "dropout": "#2f7fd1",
    "gaussian_dropout": "#14a3b8",
    "dropconnect": "#2e9e5b",
    "masksembles": "#b98a00",
    "pernodedrop-bernoulli": "#e4572e",
    "pernodedrop-gaussian": "#8f5be0",
    "pernodedrop-partial_gaussian": "#dd4f95",
    "pernodedrop-custom": "#a0674b",
}
SPARE = ("#5f7a8a", "#7a8f2a", "#b0567a", "#4c7fb0", "#c2703d", "#3f9188", "#8a6fb5")  # for kinds not listed above
FIXED, DYNAMIC = "-fixed", "-dynamic"


@dataclass(frozen=True)
class Look:
    """The colour shows the kind of noise; dashes and hollow marks show a mask that is drawn once."""

    colour: str
    dash: str
    symbol: str


def look_of(variant: str) -> Look:
    """The variant's look; a kind that is not listed has a spare colour, the same in every report."""
    kind = variant.removesuffix(FIXED).removesuffix(DYNAMIC)
    is_fixed = variant.endswith(FIXED)
    return Look(
        colour=COLOURS.get(kind) or SPARE[crc32(kind.encode()) % len(SPARE)],
        dash="dash" if is_fixed else "solid",
        symbol="diamond-open" if is_fixed else "circle",
    )
