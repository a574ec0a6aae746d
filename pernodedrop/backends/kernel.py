"""Exact masks that are never stored: the product draws every factor, and backward draws it again."""

import math
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends.base import Backend, warn_once
from pernodedrop.backends.stirred_product import drawn, stirred_product
from pernodedrop.laws import Law

_COMPILERS = {"cpu": "numba", "cuda": "triton"}
INSTALLED = frozenset(device for device, compiler in _COMPILERS.items() if find_spec(compiler) is not None)


def is_available(x: Tensor) -> bool:
    """Return whether a kernel computes with this tensor: numba's on cpu; Triton's on cuda, not in float64."""
    device = x.device.type
    return device in INSTALLED and not (device == "cuda" and x.dtype == torch.float64)


class Kernel(Backend):
    """y in memory O(BTI + IJ + BTJ), for the laws that have a lowering.

    A probability is met within 2^-13 of the rarer outcome, and the scale is that of the probability met, so the
    mean is exactly 1.
    """

    name = "kernel"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None  # refused otherwise
        seed = draws.seed(generator, device=x.device)
        probability = 1.0 if lowering.probability is None else lowering.probability
        factors, met = drawn(probability, normal=lowering.is_gaussian)
        product = stirred_product(x, weight, seed, factors)
        if lowering.variance is None:
            return product / met
        return nn.functional.linear(x, weight) + math.sqrt(lowering.variance) * product

    def refusal(self, law: Law) -> str | None:
        if law.lowering() is not None:
            return None
        return f"backend 'kernel' knows no {law.name} stir: use 'mask' or 'auto'"

    def is_available(self, x: Tensor) -> bool:
        if is_available(x):
            return True
        warn_once(
            f"no kernel for {x.dtype} on {x.device.type!r} (numba serves cpu; triton cuda, without float64): "
            "backend 'mask' runs instead"
        )
        return False

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        lowering = law.lowering()
        if lowering is None:
            return False
        if lowering.is_gaussian and x.shape[1] >= min(weight.shape):
            # The mask is no larger than x or the output, and keeping normals costs less than drawing them twice.
            return False
        return self.is_available(x)
