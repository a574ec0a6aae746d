"""The fields of a study, without its rules: what is stored and read."""

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from search_spaces.budget import MOST_TRIALS, Budget
from search_spaces.conditions import in_order
from search_spaces.confirmation import Confirmation
from search_spaces.dimensions import MOST_DIMENSIONS, Dimension
from search_spaces.evaluation import Evaluation
from search_spaces.grids import Grid, boxes
from search_spaces.keep import KEPT_BEFORE, Keep, kept_as
from search_spaces.known import MOST_KNOWN, KnownOrParams
from search_spaces.objective import Objective
from search_spaces.part import Part
from search_spaces.phases import Search
from search_spaces.pruners import NoPruner, Pruner
from search_spaces.samplers import Sampler, TpeSampler
from search_spaces.scalars import MOST_SEED, ParameterName, Scalar, Seed
from search_spaces.task import TaskSpec

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
LOWEST_PRIORITY, HIGHEST_PRIORITY = -100, 100
MOST_FOLDS = 20
Varied = Literal["seed", "split"]  # what repeats may differ in
TAG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$"  # of a tag that a study is given
DESCRIPTION_PATTERN = r"^[^\x00]*$"  # Postgres cannot store NUL


class StudyShape(Part):
    """All fields of a study, without the rules: this class reads definitions that have been accepted.

    A release may sharpen the rules, and studies from before it must still be listed, trained and reported; hence code
    that reads stored definitions validates this class, not `StudyDefinition`. Fields and their bounds are part of the
    shape: a release may add a field with a default or widen a bound. A new restriction must be a rule.

    Raises pydantic.ValidationError for another shape.
    """

    schema_version: Literal[1] = Field(default=1, description="The format's version.")
    name: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] = Field(
        description="The study's name for commands, pages and routes: at most 63 of a-z, 0-9, `.`, `_` and `-`."
    )
    description: Annotated[str, StringConstraints(max_length=2000, pattern=DESCRIPTION_PATTERN)] = Field(
        default="", description="A few words for people, on the study's pages."
    )
    task: TaskSpec = Field(description="What is trained: data, network and epochs.")
    objectives: Annotated[tuple[Objective, ...], Field(strict=False, min_length=1, max_length=3)] = Field(
        default=(Objective(metric="val_loss"),),
        description="The metrics that are searched for; the first one decides pruning, best epochs and confirmations.",
    )
    search_space: dict[ParameterName, Dimension] = Field(
        max_length=MOST_DIMENSIONS, description="The parameters that are searched, each with its range or choices."
    )
    fixed: dict[ParameterName, Scalar] = Field(
        default={}, max_length=MOST_DIMENSIONS, description="Parameters with one value in every trial."
    )
    sampler: Sampler = Field(default=TpeSampler(), description="Who suggests the configurations.")
    pruner: Pruner = Field(default=NoPruner(), description="Who ends a trial that promises nothing.")
    search: Search = Field(
        default="free",
        description="How the trials are dealt to the variants. race: all get a share, then those that may still be the "
        "best get the rest. fair: all get equal shares. In both, each variant has a sampler of its own, and is pruned "
        "against itself only. free: one sampler chooses among all of them. A new study that compares variants races "
        "unless it says otherwise.",
    )
    budget: Budget = Field(default=Budget(), description="How many trials there are, and what may end them sooner.")
    priority: int = Field(
        default=0,
        ge=LOWEST_PRIORITY,
        le=HIGHEST_PRIORITY,
        description="Workers serve the highest priority first, and divide themselves evenly among equals.",
    )
    seed: Seed = Field(
        default=0,
        description="All trials train with this seed, and the search's order follows it unless sampler.seed is given. "
        " If it is left out, sampler.seed is the seed of both.",
    )
    repeats: int = Field(default=1, ge=1, le=100, description="Each configuration is trained with this many seeds.")
    repeats_vary: Annotated[tuple[Varied, ...], Field(strict=False, min_length=1, max_length=2)] = Field(
        default=("seed",),
        description="Repeats differ in these: seed, the training's random numbers; split, also the validation split, "
        "which each seed draws anew from what is not tested, the same for all configurations.",
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        le=MOST_FOLDS,
        description="Cross-validation: the data are cut into so many folds. Seed number n of the study (from 0; "
        "those of the confirmation follow those of the search) tests on fold n modulo folds, and trains on the rest.",
    )
    confirmation: Confirmation | None = Field(
        default=None,
        description="The confirmation trains the best configurations again under fresh seeds, and tests them.",
    )
    evaluation: Evaluation | None = Field(
        default=None,
        description="The evaluation examines the models of the confirmation: their uncertainty, and strange inputs.",
    )
    keep: Keep = kept_as(KEPT_BEFORE)
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="A run is attempted again at most this many times after its worker was lost.",
    )
    start_with: Annotated[tuple[KnownOrParams, ...], Field(strict=False, max_length=MOST_KNOWN)] = Field(
        default=(),
        description="The search's first trials have these configurations, in this order, and count in budget.trials. "
        "The sampler draws what one leaves out. {params: ..., outside: true} marks one that is only compared.",
    )
    start_from: Annotated[str, StringConstraints(pattern=NAME_PATTERN)] | None = Field(
        default=None,
        description="The sampler also knows the trials that this study of the same space had finished when the "
        "definition was submitted. They count neither in the budget nor in the results.",
    )

    @model_validator(mode="before")
    @classmethod
    def _has_one_seed(cls, data: Any) -> Any:
        """Make sampler.seed the study's seed where it alone is given: studies once had no other."""
        if not isinstance(data, dict) or "seed" in data or not isinstance(data.get("sampler"), dict):
            return data
        sampler = dict(data["sampler"])
        seed = sampler.pop("seed", None)
        if type(seed) is not int or not 0 <= seed <= MOST_SEED:
            return data
        return {**data, "seed": seed, "sampler": sampler}

    @property
    def search_seed(self) -> int:
        """The seed of the order in which the sampler searches."""
        return self.seed if self.sampler.seed is None else self.sampler.seed

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
        """The epochs of a configuration's first run in the confirmation, over all its seeds; 0 if there is none."""
        return 0 if self.confirmation is None else self.epochs_under(self.confirmation.repeats)

    def epochs_under(self, seeds: int | None) -> int:
        """The epochs of a whole run: of the confirmation under so many seeds, of the search if None."""
        return self.epochs if seeds is None else self.task.epochs * seeds

    @property
    def grid(self) -> Grid:
        """The searched parameters of every combination (fixed ones are not repeated), in a stable order.

        Only a study with the grid sampler has one: its dimensions are finite, and its combinations not too many.
        """
        return Grid(list(boxes(self.search_space, self.fixed)))

    @property
    def splits_anew(self) -> bool:
        """Whether every repeat draws a validation split of its own."""
        return "split" in self.repeats_vary

    @property
    def is_race(self) -> bool:
        """Whether every variant has a search of its own, for its share of the trials."""
        return self.search != "free" and not self.sampler.visits_grid

    @property
    def varies_with_the_fleet(self) -> bool:
        """Whether another fleet may visit other configurations: they follow from whatever results are there."""
        follows = self.sampler.learns or self.is_race or self.pruner.name != "none"
        return follows and self.sampler.lag is None

    @property
    def trials(self) -> int:
        """The exact number of the search's runs."""
        if self.budget.trials is not None:
            return self.budget.trials
        if self.sampler.visits_grid or self.budget.epochs is None:
            return len(self.grid) + sum(known.outside for known in self.start_with)
        shortest = self.pruner.shortest(epochs=self.task.epochs, repeats=self.repeats)
        return min(MOST_TRIALS, max(1, self.budget.epochs // shortest))

    @property
    def is_by_legs(self) -> bool:
        """Whether its search is claimed leg by leg: trials pause at rungs, or epochs are budgeted."""
        return self.pruner.pauses or self.budget.epochs is not None
