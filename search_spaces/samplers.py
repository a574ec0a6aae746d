"""The samplers by name, with their options; words and defaults are Optuna's unless said otherwise."""

from typing import Annotated, Literal

from pydantic import Field

from search_spaces.part import Part


class SamplerPart(Part):
    """What every sampler has."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1)


class TpeSampler(SamplerPart):
    """Tree-structured Parzen estimator; joint (multivariate) and split by condition (group) by default."""

    name: Literal["tpe"] = "tpe"
    n_startup_trials: int = Field(default=10, ge=0, le=100_000)
    n_ei_candidates: int = Field(default=24, ge=1, le=10_000)
    multivariate: bool = True
    group: bool = True
    constant_liar: bool = True


class RandomSampler(SamplerPart):
    """Independent uniform draws."""

    name: Literal["random"] = "random"


class GridSampler(SamplerPart):
    """Every combination once, in an order shuffled by the seed."""

    name: Literal["grid"] = "grid"


class QmcSampler(SamplerPart):
    """A quasi-random sequence over the first trial's dimensions; dimensions it lacked are drawn at random."""

    name: Literal["qmc"] = "qmc"
    qmc_type: Literal["sobol", "halton"] = "sobol"
    scramble: bool = True


class CmaEsSampler(SamplerPart):
    """CMA-ES over the unconditional numeric dimensions; all others are drawn at random."""

    name: Literal["cmaes"] = "cmaes"
    n_startup_trials: int = Field(default=1, ge=0, le=100_000)
    popsize: int | None = Field(default=None, ge=2, le=10_000)
    with_margin: bool = Field(default=True, description="Keeps stepped and whole-number dimensions moving.")
    consider_pruned_trials: bool = False


class GpSampler(SamplerPart):
    """A Gaussian process over the unconditional dimensions; the cost of a draw grows as trials cubed."""

    name: Literal["gp"] = "gp"
    n_startup_trials: int = Field(default=10, ge=1, le=100_000)
    deterministic_objective: bool = False


class NsgaiiSampler(SamplerPart):
    """NSGA-II, an evolution over the Pareto fronts."""

    name: Literal["nsgaii"] = "nsgaii"
    population_size: int = Field(default=50, ge=2, le=10_000)
    crossover_prob: float = Field(default=0.9, ge=0, le=1)
    swapping_prob: float = Field(default=0.5, ge=0, le=1)
    mutation_prob: float | None = Field(default=None, ge=0, le=1)


Sampler = Annotated[
    TpeSampler | RandomSampler | GridSampler | QmcSampler | CmaEsSampler | GpSampler | NsgaiiSampler,
    Field(discriminator="name"),
]
