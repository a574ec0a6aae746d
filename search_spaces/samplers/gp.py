"""Gaussian processes."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.samplers.sampler import SamplerPart, startup

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class GpSampler(SamplerPart):
    """A Gaussian process models the unconditional dimensions; the cost of a draw grows as trials cubed."""

    takes_several_objectives = False
    models = "unconditional"
    learns_from_others = True
    package = "torch"

    name: Literal["gp"] = "gp"
    n_startup_trials: int = Field(
        default=10, ge=1, le=100_000, description="So many trials are drawn at random before the model draws."
    )
    deterministic_objective: bool = Field(default=False, description="The model takes the figures as free of noise.")

    def shared_by(self, variants: int) -> "GpSampler":
        return self.model_copy(update={"n_startup_trials": startup(self.n_startup_trials, variants)})

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        from search_spaces.optuna.gaussian import GaussianProcess

        return GaussianProcess(**self.options, seed=seed, warn_independent_sampling=False)
