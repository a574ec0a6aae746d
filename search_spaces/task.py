"""The task of a study: a data set with its backbone."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from search_spaces.part import Part
from search_spaces.scalars import LONGEST_TEXT, ParameterName, Scalar

BUILT_IN_TASKS = ("digits", "cifar10", "speech_commands", "rcv1")
Precision = Literal["float32", "bfloat16"]
TASK_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*((\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*)?$"


class TaskSpec(Part):
    """Which data and model, and how long to train them."""

    name: Annotated[str, StringConstraints(pattern=TASK_PATTERN, max_length=LONGEST_TEXT)] = Field(
        description="digits, cifar10, speech_commands, rcv1, or an own task: package.module:Class",
    )
    epochs: int = Field(default=20, ge=1, le=10_000)
    train_size: int | None = Field(
        default=None, ge=1, le=10**9, description="Train on a seeded subset of so many samples."
    )
    precision: Precision = Field(
        default="float32",
        description="bfloat16: layers in mixed precision (torch's autocast), faster where the processor has it.",
    )
    options: dict[ParameterName, Scalar] = Field(
        default={}, max_length=64, description="Settings that the task itself defines."
    )

    @property
    def is_built_in(self) -> bool:
        return ":" not in self.name
