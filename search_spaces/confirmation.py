"""The confirmation after the search: the best configurations are trained again and tested."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer

from search_spaces.part import Part
from search_spaces.scalars import TEXT_PATTERN

CHEAPEST = "cheapest"
OF_DECIDED = ("most_repeats", "indifference", "prefer")  # fields that have a meaning with `until: decided` alone


class Confirmation(Part):
    """The confirmation trains the best configurations of every variant again after the search, and tests them.

    Its runs belong to the study and share seeds that the search has not seen. The limits of the search do not apply to
    them. Their models are measured on the test split, at the epoch that is best by validation; these figures decide
    the winner.
    """

    top: int = Field(
        default=1, ge=1, le=100, description="This many of each variant's best configurations are confirmed."
    )
    repeats: int = Field(
        default=5,
        ge=2,
        le=100,
        description="Each configuration is trained with this many fresh seeds, or, where it goes on until it is "
        "decided, with this many at first.",
    )
    until: Literal["fixed", "decided"] = Field(
        default="fixed",
        examples=["decided"],
        description="fixed: it ends after these seeds. decided: those that are certainly worse are dropped, and the "
        "others get further seeds, until one is left, all that are left are practically equal, or most_repeats seeds "
        "are reached.",
    )
    most_repeats: int = Field(
        default=30, ge=2, le=1000, description="A confirmation until it is decided ends after this many seeds."
    )
    indifference: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=0.0,
        description="Means that differ by no more than this, in the metric's unit, are practically equal; 0 never is.",
    )
    prefer: Annotated[str, StringConstraints(max_length=200, pattern=TEXT_PATTERN)] = Field(
        default=CHEAPEST,
        description="Of practically equal configurations this one is recommended: the cheapest, by the time that an "
        "epoch takes, or the one of this variant.",
    )

    @property
    def is_decided(self) -> bool:
        """Whether it goes on until it is decided."""
        return self.until == "decided"

    @property
    def most(self) -> int:
        """The most seeds that a configuration may get."""
        return self.most_repeats if self.is_decided else self.repeats

    @model_serializer(mode="wrap")
    def _without_what_has_no_meaning(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave defaults out that would be refused if they were given."""
        whole: dict[str, Any] = handler(self)
        idle = () if self.is_decided else {*OF_DECIDED} - self.model_fields_set
        return {field: value for field, value in whole.items() if field not in idle}
