"""The ways in which a search deals its trials to its variants, and their phases."""

from collections.abc import Mapping, Sequence
from typing import Literal

Search = Literal["race", "fair", "free"]

# The share of the variants that a phase keeps, and the share of the trials that it deals.
PHASES: Mapping[str, Sequence[tuple[float, float]]] = {
    "race": ((1.0, 0.45), (0.5, 0.25), (0.25, 0.30)),
    "fair": ((1.0, 1.0),),
}
