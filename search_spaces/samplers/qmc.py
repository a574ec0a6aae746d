"""Quasi-Monte Carlo."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from search_spaces.samplers.sampler import SamplerPart

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class QmcSampler(SamplerPart):
    """QMC draws a quasi-random sequence over the unconditional dimensions; all others are drawn at random."""

    takes_several_objectives = True
    models = "all"
    learns = False

    name: Literal["qmc"] = "qmc"
    qmc_type: Literal["sobol", "halton"] = Field(default="sobol", description="The sequence of points.")
    scramble: bool = Field(default=True, description="The sequence is randomized by the seed.")

    @property
    def draws_jointly(self) -> bool:
        return True

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        """Build the sampler; all processes draw from one sequence, and only the fallback's seed differs."""
        from optuna.samplers import RandomSampler

        from search_spaces.optuna.sequence import QuasiRandomSequence

        return QuasiRandomSequence(
            **self.options,
            seed=shared_seed,
            independent_sampler=RandomSampler(seed=seed),
            warn_independent_sampling=False,
        )
