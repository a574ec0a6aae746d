"""The base of every pruner, which declares all that other files need to know of it; Optuna's step is an epoch."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
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
    pauses: ClassVar[bool] = False  # whether trials stop at rungs, and go on from there when they are promoted

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

    def rungs(self, place: int, epochs: int) -> tuple[int, ...]:
        """The ends of the legs of the trial of this place in the search, in epochs of one repeat: the last is `epochs`.

        A pruner that does not pause has one leg.
        """
        return (epochs,)

    def bracket(self, place: int, epochs: int) -> int:
        """The ladder of rungs to which this trial belongs, from 0."""
        return 0

    def after(self, epochs: int) -> Mapping[tuple[int, int], int]:
        """The rung that follows each one but the last, by bracket and rung."""
        return {}

    @property
    def one_in(self) -> int:
        """Of so many trials that have reached a rung, one goes on."""
        return 1

    def fewest_epochs(self, epochs: int, repeats: int) -> int:
        """So many epochs, over all trials, let one be trained to its end; `epochs` are those of a repeat."""
        return epochs * repeats

    def shortest(self, *, epochs: int, repeats: int) -> int:
        """The fewest epochs, over all repeats, that a trial may be trained for; `epochs` are those of a repeat."""
        return epochs if self.pairs_repeats else 1

    def problems(self, *, epochs: int, repeats: int) -> Iterator[Problem]:
        """Problems of the options together, and with the size of a trial: its repeats, and the epochs of each."""
        return iter(())
