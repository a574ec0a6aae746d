"""The budget of a study."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from search_spaces.part import Part

MOST_TRIALS = 1_000_000
MOST_EPOCHS = 10_000_000_000
LONGEST_SECONDS = 366 * 24 * 3600.0
MOST_DEVICE_SECONDS = 10_000 * LONGEST_SECONDS
DURATION_PATTERN = r"^(\d{1,9}h)?(\d{1,9}m)?(\d{1,9}s)?$"


def seconds(value: Any) -> Any:
    """Return the seconds of "4h", "1h30m" or "90s"; numbers pass as they are."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(DURATION_PATTERN, value)
    if match is None or not value:
        raise PydanticCustomError("duration", 'must be a number of seconds or a text such as "4h" or "1h30m"')
    hours, minutes, rest = (int(group[:-1]) if group else 0 for group in match.groups())
    return math.fsum((3600 * hours, 60 * minutes, rest))


_Text = Annotated[str, Field(pattern=DURATION_PATTERN, min_length=1)]
Seconds = Annotated[
    float,
    Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False),
    BeforeValidator(seconds, json_schema_input_type=Annotated[float, Field(gt=0, le=LONGEST_SECONDS)] | _Text),
]
DeviceSeconds = Annotated[
    float,
    Field(gt=0, le=MOST_DEVICE_SECONDS, allow_inf_nan=False),
    BeforeValidator(seconds, json_schema_input_type=Annotated[float, Field(gt=0, le=MOST_DEVICE_SECONDS)] | _Text),
]


class Budget(Part):
    """The budget is the exact number of trials, or of epochs, and the limits that may end a search sooner.

    Times are in seconds; null is no limit. At a limit no further trial begins; trials in training run to their end, or
    with the asha pruner to their next rung.
    """

    trials: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TRIALS,
        description="The search has this many trials. The grid sampler has a default, its grid's size; with epochs it "
        "is as many trials as those may pay for.",
    )
    epochs: int | None = Field(
        default=None,
        ge=1,
        le=MOST_EPOCHS,
        description="The search trains at most this many epochs in all, over all trials and repeats. A training, or a "
        "leg of it up to the next rung, begins only where what is left pays for it.",
    )
    wall_time: Seconds | None = Field(
        default=None, description="The search ends this long after its first trial began."
    )
    device_time: DeviceSeconds | None = Field(
        default=None, description="The search ends when all workers together have held its trials for this long."
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        le=MOST_TRIALS,
        description="The search ends when this many trials in a row brought no better value of its only objective.",
    )
    trial_timeout: Seconds | None = Field(
        default=None, description="A trial fails when one worker has trained it for this long."
    )
