"""What is measured of a confirmation's models beyond their figures: their uncertainty, and strange inputs."""

from typing import Annotated

from pydantic import Field

from search_spaces.part import Part
from search_spaces.scalars import ParameterName

HELD_OUT = "held_out"  # the classes that a task's option of this name takes out of its data
SPLITS = ("test", "val")  # the one by which a finished model is judged; no set has such a name
MOST_SETS = 32
MOST_OF_ONE = 10  # sets that one name stands for: the levels of a shift


def is_set_of(inputs: str, name: str) -> bool:
    """Whether a set of inputs is one of those that a study asks for by this name: "contrast_3" of "contrast"."""
    return inputs == name or inputs.startswith(f"{name}_")


class Evaluation(Part):
    """The evaluation examines each model of the confirmation once, at the epoch that is best by validation.

    The model predicts the test split (the validation split of a task without one) and every set of inputs out of
    distribution, with its noise, in several passes. Nothing is chosen by these figures.
    """

    passes: int = Field(
        default=20,
        ge=2,
        le=1000,
        description="A model that draws noise predicts in this many passes; one with several masks has its own number.",
    )
    out_of_distribution: Annotated[tuple[ParameterName, ...], Field(strict=False, max_length=MOST_SETS)] = Field(
        default=(),
        description="The models also predict these sets of inputs that the task offers: held_out, gaussian_noise, ...",
    )
    inputs: int = Field(
        default=2000,
        ge=100,
        le=10_000,
        description="The scores of single inputs are kept for at most this many inputs of each set.",
    )
