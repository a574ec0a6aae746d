"""How a variant looks in every chart and table of a report."""

from dataclasses import dataclass

# Of middling lightness, so that they read on white and on near-black alike, and apart for colour-blind eyes.
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
STRANGER = "#5f7a8a"  # a regularizer that this list does not know
FIXED, DYNAMIC = "-fixed", "-dynamic"


@dataclass(frozen=True)
class Look:
    """Colour by the kind of noise; a mask that is drawn once is dashed and hollow."""

    colour: str
    dash: str
    symbol: str


def look_of(variant: str) -> Look:
    kind = variant.removesuffix(FIXED).removesuffix(DYNAMIC)
    is_fixed = variant.endswith(FIXED)
    return Look(
        colour=COLOURS.get(kind, STRANGER),
        dash="dash" if is_fixed else "solid",
        symbol="diamond-open" if is_fixed else "circle",
    )
