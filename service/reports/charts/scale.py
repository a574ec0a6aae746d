"""Whether values need a logarithmic axis."""

import math
from collections.abc import Iterable
from typing import Any

LABELLED = 3  # decades whose 2 and 5 have room for a label; of more, powers of ten alone are named
FEW = 1  # decade, within which no power of ten, 2 or 5 need lie: ticks follow the values
MOST_TICKS = 6  # there, whose labels are long
DECADES = 1.5  # from the least to the greatest: on a linear axis most of more would lie on a line


def is_wide(values: Iterable[float | None]) -> bool:
    """Whether all values are above 0 and spread over more than DECADES."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and math.log10(max(finite) / min(finite)) > DECADES


def scaled(
    title: str, values: Iterable[float | None], own: Iterable[float | None] | None = None
) -> tuple[str, dict[str, Any]]:
    """The axis' title, and what its values add to the axis: where they are wide, a logarithmic scale that is named.

    `own` are the values on this axis, where `values` are also those of another one that has the same scale.
    """
    given = list(values)
    if not is_wide(given):
        return title, {}
    finite = [value for value in (given if own is None else own) if value is not None and math.isfinite(value)]
    decades = math.log10(max(finite) / min(finite))
    ticks = {"nticks": MOST_TICKS} if decades < FEW else {"dtick": 1 if decades > LABELLED else "D2"}
    return f"{title} (log scale)", {"type": "log"} | ticks
