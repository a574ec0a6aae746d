"""The base of every pruner, which declares all that other files need to know of it; Optuna's step is an epoch."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from search_spaces.objective import Objective
from search_spaces.part import Part, must_say
from search_spaces.problems import Problem

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class PrunerPart(Part):
    """Options, rules and construction of one pruner.

    A subclass that has a name and leaves out `takes_several_objectives` or `build` raises TypeError.
    """

    takes_several_objectives: ClassVar[bool]
    pairs_repeats: ClassVar[bool] = False  # whether a step is a whole repeat, compared with another trial's

    name: str

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        must_say(cls, "takes_several_objectives")

    @abstractmethod
    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        """Optuna's pruner for a study's first objective and its trials' size; imports Optuna only when called."""

    @property
    def fewest_repeats(self) -> int:
        """The fewest repeats of a trial with which the pruner can save anything."""
        return 2 if self.pairs_repeats else 1

    def problems(self, *, epochs: int) -> Iterator[Problem]:
        """Problems of the options together, and with the epochs of a training."""
        return iter(())
