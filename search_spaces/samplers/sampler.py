"""The base of every sampler, which declares all that other files need to know of it."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from search_spaces.part import Part, must_say
from search_spaces.problems import Problem
from search_spaces.scalars import Seed

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

# The dimensions that a sampler learns from: all, those that every trial has, or only the numeric ones of these. A rule
# refuses a study that has none of them, since the sampler would draw at random.
Models = Literal["all", "unconditional", "numeric"]


LEAST_STARTUP = 4  # random trials of a variant in a race, before its sampler models it: see benchmarks/searching.py


def startup(trials: int, variants: int) -> int:
    """The random trials of each of so many variants, which share this number."""
    return min(trials, max(LEAST_STARTUP, trials // variants))


class SamplerPart(Part):
    """Options, rules and construction of one sampler.

    A subclass that has a name and leaves out one of the first two class variables or `build` raises TypeError.
    """

    takes_several_objectives: ClassVar[bool]
    models: ClassVar[Models]
    visits_grid: ClassVar[bool] = False  # takes every combination in turn (`fixed_params`) instead of drawing
    learns: ClassVar[bool] = True  # whether a draw depends on earlier results
    learns_from_others: ClassVar[bool] = False  # from trials that it did not draw, of an earlier study
    package: ClassVar[str | None] = None  # that it computes with, and that only workers have in every installation

    seed: Seed | None = Field(
        default=None, description="This seed decides the search's order; the default is the study's seed."
    )
    lag: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="Run n begins when all runs below n - lag have ended, and follows from their results alone: the "
        "same definition gives the same study, whatever the fleet. At most lag + 1 runs are trained at once.",
    )
    name: str

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        must_say(cls, "takes_several_objectives", "models")

    @abstractmethod
    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        """Optuna's sampler for one process of a study; imports Optuna only when called.

        `seed` differs between the processes, `shared_seed` is the same in all of them.
        """

    def shared_by(self, variants: int) -> "SamplerPart":
        """The sampler of one of so many variants, where each has its own."""
        return self

    def problems(self) -> Iterator[Problem]:
        """Problems of the options together."""
        return iter(())

    @property
    def draws_jointly(self) -> bool:
        """Whether it is handed the dimensions that every trial has, to draw them jointly; else it finds its own."""
        return self.models != "all"

    @property
    def options(self) -> dict[str, Any]:
        """The options that only this sampler has, by name."""
        return self.model_dump(exclude={"name", "seed", "lag"})
