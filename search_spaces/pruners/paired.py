"""A paired t test over repeats."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class PairedPruner(PrunerPart):
    """The paired pruner stops a trial whose repeats are worse than the best trial's beyond doubt, paired by seed.

    A trial that is no worse than the best one is stopped with a chance of at most `p`, which also bounds the chance to
    lose the best configuration of the search: see `search_spaces.optuna.paired`.
    """

    takes_several_objectives = False
    pairs_repeats = True

    name: Literal["paired"] = "paired"
    p: float = Field(default=0.05, gt=0, lt=1, description="The chance at which an equal trial is stopped.")
    n_startup_repeats: int = Field(default=2, ge=2, le=100, description="The first test comes after this many repeats.")

    @property
    def fewest_repeats(self) -> int:
        """The repeats that leave one test; after the last repeat nothing is left to save."""
        return self.n_startup_repeats + 1

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from search_spaces.optuna.paired import RepeatsPruner

        return RepeatsPruner(self.p, objective, repeats=repeats, first=self.n_startup_repeats)
