"""A study as its author writes it."""

from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from search_spaces.budget import Budget
from search_spaces.conditions import in_order
from search_spaces.confirmation import Confirmation
from search_spaces.dimensions import MOST_DIMENSIONS, Dimension
from search_spaces.grids import grid
from search_spaces.objective import Objective
from search_spaces.part import Part
from search_spaces.problems import InvalidDefinition
from search_spaces.pruners import NoPruner, Pruner
from search_spaces.rules import broken_rules
from search_spaces.samplers import Sampler, TpeSampler
from search_spaces.scalars import ParameterName, Scalar
from search_spaces.task import TaskSpec

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
DESCRIPTION_PATTERN = r"^[^\x00]*$"  # Postgres cannot store NUL


class StudyDefinition(Part):
    """Everything that makes a study; one that exists has passed every rule.

    Raises pydantic.ValidationError for a wrong shape and InvalidDefinition for a broken rule;
    `parse_definition` turns both into InvalidDefinition.
    """

    schema_version: Literal[1] = 1
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
    description: Annotated[str, StringConstraints(max_length=2000, pattern=DESCRIPTION_PATTERN)] = ""
    task: TaskSpec
    objectives: Annotated[tuple[Objective, ...], Field(strict=False, min_length=1, max_length=3)] = (
        Objective(metric="val_loss"),
    )
    search_space: dict[ParameterName, Dimension] = Field(max_length=MOST_DIMENSIONS)
    fixed: dict[ParameterName, Scalar] = Field(default={}, max_length=MOST_DIMENSIONS)
    sampler: Sampler = TpeSampler()
    pruner: Pruner = NoPruner()
    budget: Budget = Budget()
    priority: int = Field(
        default=0,
        ge=LOWEST_PRIORITY,
        le=HIGHEST_PRIORITY,
        description="Workers serve the highest first, and share themselves fairly among equals.",
    )
    repeats: int = Field(default=1, ge=1, le=100, description="Seeds a configuration is trained with.")
    confirmation: Confirmation | None = Field(
        default=None, description="Train the best configurations again under fresh seeds, and test them."
    )
    retries: int = Field(default=2, ge=0, le=10, description="Further attempts after a lost worker.")

    @model_validator(mode="after")
    def _obeys_the_rules(self) -> Self:
        problems = broken_rules(self)
        if problems:
            raise InvalidDefinition(problems)
        return self

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The dimensions in the order in which a trial asks for them: parents first."""
        return tuple(in_order(self.search_space))

    @property
    def epochs(self) -> int:
        """The epochs of a whole trial of the search, over all its repeats."""
        return self.task.epochs * self.repeats

    @property
    def confirmation_epochs(self) -> int:
        """The epochs of a whole run of the confirmation, over all its repeats; 0 if there is none."""
        return 0 if self.confirmation is None else self.task.epochs * self.confirmation.repeats

    @property
    def trials(self) -> int:
        """The exact number of the search's runs."""
        return len(grid(self)) if self.budget.trials is None else self.budget.trials
