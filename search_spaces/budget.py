"""How much a study may spend."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from search_spaces.part import Part

LONGEST_SECONDS = 366 * 24 * 3600.0
DURATION_PATTERN = r"^(\d{1,9}h)?(\d{1,9}m)?(\d{1,9}s)?$"


def seconds(value: Any) -> Any:
    """Reads "4h", "1h30m" or "90s" as seconds; numbers pass as they are."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(DURATION_PATTERN, value)
    if match is None or not value:
        raise PydanticCustomError("duration", 'must be a number of seconds or a text such as "4h" or "1h30m"')
    hours, minutes, rest = (int(group[:-1]) if group else 0 for group in match.groups())
    return math.fsum((3600 * hours, 60 * minutes, rest))


Seconds = Annotated[
    float,
    Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False),
    BeforeValidator(
        seconds,
        json_schema_input_type=Annotated[float, Field(gt=0, le=LONGEST_SECONDS)]
        | Annotated[str, Field(pattern=DURATION_PATTERN, min_length=1)],
    ),
]


class Budget(Part):
    """The exact number of trials and the limits of time, in seconds; None is no limit."""

    trials: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Required; only the grid sampler has a number of its own, its grid's size.",
    )
    wall_time: Seconds | None = Field(default=None, description="Of the study as a whole.")
    trial_timeout: Seconds | None = Field(default=None, description="Of one trial.")
