"""A paired t test over repeats."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class PairedPruner(PrunerPart):
    """Stops a trial whose repeats are worse than the best trial's beyond doubt, paired by seed, from two on.

    `p` is at most the chance that a trial that is no worse than the best one is stopped, and so the chance to lose
    the best configuration of the search: see `search_spaces.optuna.paired`.
    """

    takes_several_objectives = False
    pairs_repeats = True

    name: Literal["paired"] = "paired"
    p: float = Field(default=0.05, gt=0, lt=1)
    n_startup_repeats: int = Field(default=2, ge=2, le=100, description="Repeats before the first look.")

    @property
    def fewest_repeats(self) -> int:
        """It never looks after the last repeat, when there is nothing left to save."""
        return self.n_startup_repeats + 1

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from search_spaces.optuna.paired import RepeatsPruner

        return RepeatsPruner(self.p, objective, repeats=repeats, first=self.n_startup_repeats)
