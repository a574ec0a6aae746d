"""Wilcoxon's signed-rank test over repeats."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.problems import Problem
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class WilcoxonPruner(PrunerPart):
    """The Wilcoxon pruner stops a trial whose repeats are significantly worse than the best trial's, paired by seed.

    With n repeats the smallest p-value is 2**-n: a p_threshold of 0.1 needs four repeats to act.
    """

    takes_several_objectives = False
    pairs_repeats = True

    name: Literal["wilcoxon"] = "wilcoxon"
    p_threshold: float = Field(default=0.1, ge=0, le=1, description="A smaller p-value stops the trial.")
    n_startup_repeats: int = Field(default=2, ge=0, le=100, description="The first test comes after this many repeats.")

    @property
    def fewest_repeats(self) -> int:
        """The repeats that leave one test; after the last repeat nothing is left to save."""
        return max(2, self.n_startup_repeats) + 1  # of fewer than two Optuna makes no test

    def problems(self, *, epochs: int, repeats: int) -> Iterator[Problem]:
        if self.p_threshold == 0:
            rule = "must be above 0, else the pruner stops no trial, got 0"
            yield Problem.at("pruner.p_threshold", f"{rule}: raise it, or leave the pruner out")

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna import pruners

        return pruners.WilcoxonPruner(p_threshold=self.p_threshold, n_startup_steps=self.n_startup_repeats)
