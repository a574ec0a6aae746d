"""The samplers by name, with their options; names and defaults are Optuna's unless said otherwise.

A new one is a class in its own file, and an entry of SAMPLERS.
"""

from typing import TYPE_CHECKING

from search_spaces.part import one_of
from search_spaces.samplers.cmaes import CmaEsSampler
from search_spaces.samplers.gp import GpSampler
from search_spaces.samplers.grid import GridSampler
from search_spaces.samplers.nsgaii import NsgaiiSampler
from search_spaces.samplers.qmc import QmcSampler
from search_spaces.samplers.random import RandomSampler
from search_spaces.samplers.sampler import SamplerPart
from search_spaces.samplers.tpe import TpeSampler

__all__ = ["SAMPLERS", "Sampler", "SamplerPart", "TpeSampler"]

SAMPLERS: tuple[type[SamplerPart], ...] = (
    TpeSampler,
    RandomSampler,
    GridSampler,
    QmcSampler,
    CmaEsSampler,
    GpSampler,
    NsgaiiSampler,
)

if TYPE_CHECKING:
    Sampler = SamplerPart
else:
    Sampler = one_of(SAMPLERS)
