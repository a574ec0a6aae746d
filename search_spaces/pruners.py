"""The pruners by name, with their options; a step of Optuna's is an epoch here."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from search_spaces.part import Part


class PrunerPart(Part):
    """What the pruners have in common."""

    pairs_repeats: ClassVar[bool] = False  # whether a step is a whole repeat, compared with another trial's


class NoPruner(PrunerPart):
    """Every trial trains to its end."""

    name: Literal["none"] = "none"


class MedianPruner(PrunerPart):
    """Stops a trial whose best value so far is worse than the median of the others at that epoch."""

    name: Literal["median"] = "median"
    n_startup_trials: int = Field(default=5, ge=0, le=100_000)
    n_warmup_epochs: int = Field(default=0, ge=0, le=10_000)
    interval_epochs: int = Field(default=1, ge=1, le=10_000)
    n_min_trials: int = Field(default=1, ge=1, le=100_000)


class HyperbandPruner(PrunerPart):
    """Successive halving in several brackets, from min_epochs to the task's epochs (Li et al. 2018)."""

    name: Literal["hyperband"] = "hyperband"
    min_epochs: int = Field(default=1, ge=1, le=10_000)
    reduction_factor: int = Field(default=3, ge=2, le=100)
    bootstrap_count: int = Field(default=0, ge=0, le=100_000)


class SuccessiveHalvingPruner(PrunerPart):
    """Asynchronous successive halving: one of reduction_factor goes on at each rung (Li et al. 2020)."""

    name: Literal["successive_halving"] = "successive_halving"
    min_epochs: int = Field(default=1, ge=1, le=10_000)
    reduction_factor: int = Field(default=4, ge=2, le=100)
    min_early_stopping_rate: int = Field(default=0, ge=0, le=20)
    bootstrap_count: int = Field(default=0, ge=0, le=100_000)


class WilcoxonPruner(PrunerPart):
    """Stops a trial whose repeats are significantly worse than the best trial's, paired by seed.

    With n repeats the smallest p-value is 2**-n: a p_threshold of 0.1 takes four repeats to act.
    """

    pairs_repeats = True
    name: Literal["wilcoxon"] = "wilcoxon"
    p_threshold: float = Field(default=0.1, ge=0, le=1)
    n_startup_repeats: int = Field(default=2, ge=0, le=100)


class PairedPruner(PrunerPart):
    """Stops a trial whose repeats are worse than the best trial's beyond doubt, paired by seed, from two on.

    `p` is at most the chance that a trial that is no worse than the best one is stopped, and so the chance to lose
    the best configuration of the search: see `search_spaces.optuna.paired`.
    """

    pairs_repeats = True
    name: Literal["paired"] = "paired"
    p: float = Field(default=0.05, gt=0, lt=1)
    n_startup_repeats: int = Field(default=2, ge=2, le=100, description="Repeats before the first look.")


Pruner = Annotated[
    NoPruner | MedianPruner | HyperbandPruner | SuccessiveHalvingPruner | WilcoxonPruner | PairedPruner,
    Field(discriminator="name"),
]
