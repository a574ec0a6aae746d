"""What people may say with an order on a study: the same bounds for the API and for the pages."""

from typing import Annotated, Any

from pydantic import Field

from search_spaces import InvalidDefinition
from search_spaces.budget import MOST_TRIALS
from search_spaces.part import Part
from search_spaces.problems import Problem
from search_spaces.shape import DESCRIPTION_PATTERN, HIGHEST_PRIORITY, LOWEST_PRIORITY, TAG_PATTERN

MOST_TAGS = 20
LONGEST_NOTE = 2000  # characters
MAX_NUMBER = 2**31 - 1  # a Postgres integer
MOST_RETRIED = 1000  # trials that one order names

Tag = Annotated[str, Field(pattern=TAG_PATTERN)]


class RetryIn(Part):
    trials: list[Annotated[int, Field(ge=0, le=MAX_NUMBER)]] | None = Field(
        None,
        min_length=1,
        max_length=MOST_RETRIED,
        description="These trials wait again; null is all that have failed, with the failed runs of the confirmation.",
        examples=[[4]],
    )


class ChangeIn(Part):
    """What is left out stays as it is."""

    priority: int = Field(
        0, ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY, description="Workers serve the highest first.", examples=[10]
    )
    tags: list[Tag] = Field(
        [], max_length=MOST_TAGS, description="The study has these tags instead of earlier ones.", examples=[["paper"]]
    )
    note: str = Field(
        "",
        max_length=LONGEST_NOTE,
        pattern=DESCRIPTION_PATTERN,
        description="The study has this note instead of an earlier one; an empty one takes it away.",
        examples=["rerun after the fix"],
    )

    def columns(self) -> dict[str, Any]:
        """What is to be changed, as `studies.amend` takes it.

        Raises:
            InvalidDefinition: it is nothing.
        """
        columns = self.model_dump(exclude_unset=True)
        if not columns:
            raise InvalidDefinition([Problem.at("body", "must have priority, tags or note, got none of them")])
        if "tags" in columns:
            columns["tags"] = sorted(set(columns["tags"]))
        return columns


class ExtensionIn(Part):
    trials: int = Field(ge=1, le=MOST_TRIALS, description="The search gets this many further trials.", examples=[20])
    seen: int | None = Field(
        None,
        ge=1,
        le=MOST_TRIALS,
        description="The budget that the caller knows. With another one by now nothing is added (409), so that a call "
        "whose answer was lost can be repeated.",
        examples=[40],
    )
