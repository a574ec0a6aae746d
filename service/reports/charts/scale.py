"""Whether values need a logarithmic axis."""

import math
from collections.abc import Iterable
from typing import Any

LABELLED = 3  # decades whose 2 and 5 have room for a label; of more, powers of ten alone are named
DECADES = 1.5  # from the least to the greatest: on a linear axis most of more would lie on a line


def is_wide(values: Iterable[float | None]) -> bool:
    """Whether all values are above 0 and spread over more than DECADES."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return bool(finite) and min(finite) > 0 and math.log10(max(finite) / min(finite)) > DECADES


def scaled(title: str, values: Iterable[float | None]) -> tuple[str, dict[str, Any]]:
    """The axis' title, and what its values add to the axis: where they are wide, a logarithmic scale that is named."""
    given = list(values)
    if not is_wide(given):
        return title, {}
    finite = [value for value in given if value is not None and math.isfinite(value)]
    is_long = math.log10(max(finite) / min(finite)) > LABELLED
    return f"{title} (log scale)", {"type": "log", "dtick": 1 if is_long else "D2"}
