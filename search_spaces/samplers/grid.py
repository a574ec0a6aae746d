"""The grid."""

from typing import TYPE_CHECKING, Literal

from search_spaces.samplers.sampler import SamplerPart

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class GridSampler(SamplerPart):
    """The grid sampler visits every combination once, in an order shuffled by the seed."""

    takes_several_objectives = True
    models = "all"
    learns = False
    visits_grid = True

    name: Literal["grid"] = "grid"

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        """A random sampler that has nothing to draw, because `fixed_params` gives every value."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)
