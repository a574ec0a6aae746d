"""The values a definition may hold: text, whole numbers, finite numbers, true and false, all bounded."""

import math
import re
from typing import Annotated, Any, LiteralString

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

LARGEST = 2**53  # Optuna stores numbers as doubles; a whole number beyond this one would change
LONGEST_TEXT = 200
MOST_SEED = 2**32 - 1

# Control characters are refused because Postgres cannot store NUL and a log line must stay one line.
TEXT_PATTERN = r"^[^\x00-\x1f\x7f]*$"
SURROGATE = "[\ud800-\udfff]"  # half a character, which UTF-8 cannot encode
PARAMETER_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT, pattern=TEXT_PATTERN)]
ParameterName = Annotated[str, StringConstraints(pattern=PARAMETER_PATTERN)]
Integer = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]


def one_scalar(value: Any) -> Any:
    """Refuse what is no scalar with one message; a union would give one for each member."""
    rule = text_rule(value) if isinstance(value, str) else number_rule(value)
    if rule is not None:
        raise PydanticCustomError("scalar", rule)
    return value


def text_rule(value: str) -> LiteralString | None:
    """The rule that a text breaks, if any."""
    if len(value) > LONGEST_TEXT:
        return "must have at most 200 characters"
    if not re.fullmatch(TEXT_PATTERN, value):
        return "must not contain control characters"
    return "must be valid Unicode text" if re.search(SURROGATE, value) else None


def number_rule(value: Any) -> LiteralString | None:
    """The rule that anything but a text breaks, if any."""
    if not isinstance(value, int | float):
        return "must be text, a number, true or false"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    return None if abs(value) <= LARGEST else "must lie within -2**53 and 2**53"


Scalar = Annotated[bool | Integer | Number | Text, BeforeValidator(one_scalar)]


def same(one: Any, other: Any) -> bool:
    """Equality that tells true from 1 and 1 from 1.0, which Python and Optuna do not."""
    return exact(one) == exact(other)


def exact(value: Any) -> tuple[type, Any]:
    """The value as a key of a set or mapping that tells true from 1 and 1 from 1.0."""
    return type(value), value
