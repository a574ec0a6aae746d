"""Successive halving."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.objective import Objective
from search_spaces.problems import Problem
from search_spaces.pruners.pruner import PrunerPart

if TYPE_CHECKING:
    from optuna.pruners import BasePruner


REDUCTION = "One in this many trials goes on from a rung to the next."
BOOTSTRAP = "The first so many trials to reach a rung end there; only later ones may go on."


class HalvingPart(PrunerPart):
    """The base of pruners that let only a share of the trials continue from each rung of epochs to the next."""

    takes_several_objectives = False

    min_epochs: int = Field(default=1, ge=1, le=10_000, description="The first rung is after this many epochs.")

    def problems(self, *, epochs: int, repeats: int) -> Iterator[Problem]:
        """A trial that is judged only when it has been trained to its end saves nothing."""
        if not _saves(self.min_epochs, epochs, repeats):
            rule = f"must be {_bound(epochs, repeats)}, else the pruner saves nothing, got {self.min_epochs}"
            yield Problem.at("pruner.min_epochs", f"{rule}: lower it, or leave the pruner out")


def _saves(rung: int, epochs: int, repeats: int) -> bool:
    """Whether an end at this epoch of the first repeat leaves anything untrained."""
    return rung < epochs or (rung == epochs and repeats > 1)


def _bound(epochs: int, repeats: int) -> str:
    return f"{'at most' if repeats > 1 else 'below'} task.epochs ({epochs})"


class SuccessiveHalvingPruner(HalvingPart):
    """Asynchronous successive halving lets one in reduction_factor trials continue at each rung (Li et al. 2020)."""

    name: Literal["successive_halving"] = "successive_halving"
    reduction_factor: int = Field(default=4, ge=2, le=100, description=REDUCTION)
    min_early_stopping_rate: int = Field(
        default=0, ge=0, le=20, description="The first rung is later by this power of the reduction factor."
    )
    bootstrap_count: int = Field(default=0, ge=0, le=100_000, description=BOOTSTRAP)

    def problems(self, *, epochs: int, repeats: int) -> Iterator[Problem]:
        yield from super().problems(epochs=epochs, repeats=repeats)
        first = self.min_epochs * self.reduction_factor**self.min_early_stopping_rate
        if _saves(self.min_epochs, epochs, repeats) and not _saves(first, epochs, repeats):
            rule = (
                f"puts the first rung after {first:,} epochs, which must be {_bound(epochs, repeats)}, else the pruner"
            )
            got = f"{rule} saves nothing, got {self.min_early_stopping_rate}: lower it, or leave the pruner out"
            yield Problem.at("pruner.min_early_stopping_rate", got)

    def build(self, *, objective: Objective, epochs: int, repeats: int) -> "BasePruner":
        from optuna import pruners

        return pruners.SuccessiveHalvingPruner(
            min_resource=self.min_epochs,
            reduction_factor=self.reduction_factor,
            min_early_stopping_rate=self.min_early_stopping_rate,
            bootstrap_count=self.bootstrap_count,
        )
