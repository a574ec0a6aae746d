"""Random search."""

from typing import TYPE_CHECKING, Literal

from search_spaces.samplers.sampler import SamplerPart

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class RandomSampler(SamplerPart):
    """The random sampler draws every value independently and uniformly."""

    takes_several_objectives = True
    models = "all"
    learns = False

    name: Literal["random"] = "random"

    def build(self, *, seed: int, shared_seed: int) -> "BaseSampler":
        from optuna.samplers import RandomSampler as Uniform

        return Uniform(seed=seed)
