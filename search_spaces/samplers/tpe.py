"""TPE, the default."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.problems import Problem
from search_spaces.samplers.sampler import SamplerPart, startup

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class TpeSampler(SamplerPart):
    """TPE models the dimensions that share a condition (group) jointly (multivariate)."""

    takes_several_objectives = True
    models = "all"
    learns_from_others = True

    name: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(
        default=10, ge=0, le=100_000, description="So many trials are drawn at random before the model draws."
    )
    n_ei_candidates: int = Field(
        default=24, ge=1, le=10_000, description="Draws of which the most promising one is taken."
    )
    multivariate: bool = Field(default=True, description="Dimensions are modelled jointly.")
    group: bool = Field(default=True, description="Each set of dimensions that conditions leave has a joint model.")
    constant_liar: bool = Field(
        default=True, description="Trials in training count as bad ones, so that no two are alike."
    )

    @property
    def draws_jointly(self) -> bool:
        return self.multivariate and not self.group

    def problems(self) -> Iterator[Problem]:
        if self.group and not self.multivariate:
            yield Problem.at("sampler.group", "must be false where multivariate is false, got true")

    def shared_by(self, variants: int) -> "TpeSampler":
        return self.model_copy(update={"n_startup_trials": startup(self.n_startup_trials, variants)})

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        from optuna.samplers import TPESampler

        from search_spaces.optuna.grouping import group_quickly

        return group_quickly(TPESampler(**self.options, seed=seed))
