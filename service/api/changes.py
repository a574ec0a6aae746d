"""What a request may change of a study, as bodies of requests."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from search_spaces.budget import MOST_TRIALS
from search_spaces.shape import HIGHEST_PRIORITY, LOWEST_PRIORITY


def _whole(value: Any) -> Any:
    """3.0 is an integer in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WholeNumber = Annotated[int, BeforeValidator(_whole)]


class Change(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PriorityIn(Change):
    priority: WholeNumber = Field(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY, examples=[10])


class ExtensionIn(Change):
    trials: WholeNumber = Field(ge=1, le=MOST_TRIALS, description="further trials", examples=[20])
