"""Values that several models share."""

from math import isfinite
from typing import Annotated, Literal

from pydantic import BeforeValidator

Scalar = bool | int | float | str
DecidedAs = Literal["winner", "practically equal", "undecided"]


def _finite_or_none(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


# JSON knows neither NaN nor infinity: such a value is null.
Finite = Annotated[float | None, BeforeValidator(_finite_or_none)]
