"""What a sampler says of itself, so that no other file needs to know it."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from search_spaces.part import Part, must_say
from search_spaces.problems import Problem
from search_spaces.scalars import Seed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

# The dimensions that a sampler learns from: all, those that every trial has, or of these the numeric ones. With none
# of its kind left it would draw at random, which a rule refuses.
Models = Literal["all", "unconditional", "numeric"]


class SamplerPart(Part):
    """Options, rules and construction of one sampler.

    A subclass that has a name and leaves out one of the first two class variables or `build` raises TypeError.
    """

    takes_several_objectives: ClassVar[bool]
    models: ClassVar[Models]
    visits_grid: ClassVar[bool] = False  # every combination in its turn (`fixed_params`), instead of what it draws
    repeats_itself: ClassVar[bool] = False  # whether it may draw again what it knows: then `DistinctSampler` sees to it

    seed: Seed | None = Field(default=None, description="Of the search's order, where it is not to follow the study's.")
    name: str

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        must_say(cls, "takes_several_objectives", "models")

    @abstractmethod
    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        """Optuna's sampler for one process of a study; imports Optuna only when called.

        `seed` differs between the processes, `shared_seed` is the same in all of them.
        """

    def problems(self) -> Iterator[Problem]:
        """What is wrong with its options together."""
        return iter(())

    @property
    def options(self) -> dict[str, Any]:
        """What it has beyond other samplers, by name."""
        return self.model_dump(exclude={"name", "seed"})
