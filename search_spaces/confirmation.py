"""The confirmation after the search: the best configurations are trained again and tested."""

from typing import Literal

from pydantic import Field

from search_spaces.part import Part
from search_spaces.scalars import WholeNumber


class Confirmation(Part):
    """The confirmation trains the best configurations of every variant again after the search, and tests them.

    Its runs belong to the study and share seeds that the search has not seen. The limits of the search do not apply to
    them. Their models are measured on the test split, at the epoch that is best by validation; these figures decide
    the winner.
    """

    top: WholeNumber = Field(
        default=1, ge=1, le=100, description="This many of each variant's best configurations are confirmed."
    )
    repeats: WholeNumber = Field(
        default=5, ge=2, le=100, description="Each configuration is trained with this many fresh seeds."
    )
    until: Literal["fixed", "decided"] = Field(default="fixed", description="stub")
    most_repeats: WholeNumber = Field(default=30, ge=2, le=1000, description="stub")
    indifference: float = Field(default=0.0, ge=0, description="stub")
    prefer: str = Field(default="cheapest", description="stub")
