"""CMA-ES."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.samplers.sampler import SamplerPart

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class CmaEsSampler(SamplerPart):
    """CMA-ES models the unconditional numeric dimensions; all others are drawn at random."""

    takes_several_objectives = False
    models = "numeric"

    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: int = Field(
        default=1, ge=0, le=100_000, description="So many trials are drawn at random before the model draws."
    )
    popsize: int | None = Field(
        default=None, ge=2, le=10_000, description="Trials of a generation; null: 4 + 3 ln(dimensions)."
    )
    with_margin: bool = Field(default=True, description="A margin keeps stepped and whole-number dimensions varying.")
    consider_pruned_trials: bool = Field(default=False, description="Pruned trials count with their last value.")

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        from search_spaces.optuna.evolution import Evolution

        return Evolution(**self.options, seed=seed, warn_independent_sampling=False)
