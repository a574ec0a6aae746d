"""Hyperband."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.pruners.successive_halving import BOOTSTRAP, REDUCTION, HalvingPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


class HyperbandPruner(HalvingPart):
    """Hyperband runs successive halving in several brackets, from min_epochs to the task's epochs (Li et al. 2018)."""

    name: Literal["hyperband"] = "hyperband"
    reduction_factor: int = Field(default=3, ge=2, le=100, description=REDUCTION)
    bootstrap_count: int = Field(default=0, ge=0, le=100_000, description=BOOTSTRAP)

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna import pruners

        return pruners.HyperbandPruner(
            min_resource=self.min_epochs,
            max_resource=epochs,
            reduction_factor=self.reduction_factor,
            bootstrap_count=self.bootstrap_count,
        )
