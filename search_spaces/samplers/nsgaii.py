"""NSGA-II."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.samplers.sampler import SamplerPart

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class NsgaiiSampler(SamplerPart):
    """NSGA-II is an evolutionary search over the Pareto fronts."""

    takes_several_objectives = True
    models = "all"

    name: Literal["nsgaii"] = "nsgaii"
    population_size: int = Field(default=50, ge=2, le=10_000, description="Trials of a generation.")
    crossover_prob: float = Field(default=0.9, ge=0, le=1, description="A child has two parents with this chance.")
    swapping_prob: float = Field(
        default=0.5, ge=0, le=1, description="A parameter comes from the other parent with this chance."
    )
    mutation_prob: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="A parameter is drawn anew with this chance; null: one in a trial, on average.",
    )

    @property
    def draws_jointly(self) -> bool:
        return True

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        from optuna.samplers import NSGAIISampler

        return NSGAIISampler(**self.options, seed=seed)
