"""Asynchronous successive halving that pauses and promotes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.problems import Problem
from search_spaces.pruners.successive_halving import REDUCTION, HalvingPart
from search_spaces.rungs import Ladder, bracket_of, ladders_of, most_brackets

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

_DEALT = 100_000  # trials up to which the deal to brackets is looked at


class AshaPruner(HalvingPart):
    """ASHA pauses a trial at each rung of epochs until it is among the best there, and then trains it further.

    See Li et al. 2020, Algorithm 2. A paused trial keeps its checkpoint, and its worker takes another one.
    """

    pauses: ClassVar[bool] = True

    name: Literal["asha"] = "asha"
    reduction_factor: int = Field(default=3, ge=2, le=100, description=REDUCTION)
    brackets: int = Field(
        default=1,
        ge=1,
        le=20,
        description="Trials are dealt to so many ladders; the first rung of each next one is later by a factor.",
    )

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna.pruners import NopPruner

        return NopPruner()  # claims choose who goes on

    def problems(self, *, epochs: int, repeats: int) -> Iterator[Problem]:
        yield from super().problems(epochs=epochs, repeats=repeats)
        most = most_brackets(self.min_epochs, self.reduction_factor, epochs)
        if self.min_epochs < epochs and self.brackets > most:
            rule = f"must be at most {most} with rungs from {self.min_epochs} to {epochs} epochs, got {self.brackets}"
            yield Problem.at("pruner.brackets", f"{rule}: lower it, or min_epochs")

    def shortest(self, *, epochs: int, repeats: int) -> int:
        return min(self.min_epochs, epochs)

    def fewest_trials(self, epochs: int) -> int:
        """So many trials let one of the first bracket be trained to its end, where that is the only one."""
        return self.ladders(epochs)[0].fewest_trials

    def ends(self, trials: int, epochs: int) -> bool:
        """Whether so many trials are enough for one of a bracket to be trained to its end, if it is the best."""
        ladders = self.ladders(epochs)
        most = min(trials, len(ladders) * ladders[0].fewest_trials * self.reduction_factor)
        had = Counter(self.bracket(place, epochs) for place in range(most)) if most <= _DEALT else Counter({0: trials})
        return any(had[bracket] >= ladder.fewest_trials for bracket, ladder in enumerate(ladders))

    def fewest_epochs(self, epochs: int, repeats: int) -> int:
        rungs = (0, *self.ladders(epochs)[0].rungs)
        trained = [after - before for before, after in pairwise(rungs)]
        return sum(leg * self.reduction_factor**left for left, leg in enumerate(reversed(trained)))

    def rungs(self, place: int, epochs: int) -> tuple[int, ...]:
        return self.ladders(epochs)[self.bracket(place, epochs)].rungs

    def bracket(self, place: int, epochs: int) -> int:
        return bracket_of(place, self.reduction_factor, len(self.ladders(epochs)))

    def after(self, epochs: int) -> Mapping[tuple[int, int], int]:
        ladders = enumerate(self.ladders(epochs))
        return {(bracket, rung): to for bracket, ladder in ladders for rung, to in pairwise(ladder.rungs)}

    @property
    def one_in(self) -> int:
        return self.reduction_factor

    def ladders(self, epochs: int) -> Sequence[Ladder]:
        """The ladder of each bracket."""
        first = min(self.min_epochs, epochs)  # `problems` says what is wrong with a later one
        most = most_brackets(first, self.reduction_factor, epochs)
        return ladders_of(first, self.reduction_factor, epochs, min(self.brackets, most))
