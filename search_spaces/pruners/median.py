"""The median rule."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class MedianPruner(PrunerPart):
    """The median pruner stops a trial whose best value so far is worse than the median of the others at that epoch."""

    takes_several_objectives = False

    name: Literal["median"] = "median"
    n_startup_trials: int = Field(
        default=5, ge=0, le=100_000, description="Nobody is stopped before so many trials are complete."
    )
    n_warmup_epochs: int = Field(default=0, ge=0, le=10_000, description="No trial is stopped in these first epochs.")
    interval_epochs: int = Field(default=1, ge=1, le=10_000, description="The epochs from one look to the next.")
    n_min_trials: int = Field(
        default=1, ge=1, le=100_000, description="The median of fewer trials at an epoch stops nobody."
    )

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna import pruners

        return pruners.MedianPruner(
            n_startup_trials=self.n_startup_trials,
            n_warmup_steps=self.n_warmup_epochs,
            interval_steps=self.interval_epochs,
            n_min_trials=self.n_min_trials,
        )
