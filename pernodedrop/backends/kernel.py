"""Exact masks that are never stored: the product draws every factor, and backward draws it again."""

import math
import threading
import warnings
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor

from pernodedrop import draws
from pernodedrop.backends.base import Backend, OverTime, positions, warn_once
from pernodedrop.backends.drawn import drawn, drawn_over_time
from pernodedrop.backends.factors import Factors
from pernodedrop.backends.stirred_product import stirred_product
from pernodedrop.compiling import constant
from pernodedrop.laws import Law
from pernodedrop.processes import TWO_STATES

_COMPILERS = {"cpu": "numba", "cuda": "triton"}
INSTALLED = frozenset(device for device, compiler in _COMPILERS.items() if find_spec(compiler) is not None)
_TRIED: dict[str, bool] = {}  # whether the kernel runs on a device


def is_available(x: Tensor) -> bool:
    """Return whether a kernel computes with this real tensor: numba's on cpu; Triton's on cuda, not in float64."""
    device = x.device.type
    if x.is_complex() or (device == "cuda" and x.dtype == torch.float64):
        return False
    return device in INSTALLED and _works(device)


@constant
def _works(device: str) -> bool:
    if device not in _TRIED:
        works = _tried(device)
        if torch.compiler.is_exporting() and not works:
            return False  # outside it may
        _TRIED[device] = works
    return _TRIED[device]


def _tried(device: str) -> bool:
    """Try the kernel: an installed compiler may find no folder for its cache, another numpy, no C compiler, ...

    torch.export(strict=False) puts functions of its own in the place of Python's, with which numba cannot be imported.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of a compiler that is about to fail
            warnings.filterwarnings("always", "numba cannot keep compiled kernels")
            _try(f"cuda:{torch.cuda.current_device()}" if device == "cuda" else device)
    except Exception as error:  # a compiler's failures have no common class
        reason = (str(error).strip().splitlines() or [""])[0]
        remedy = f"mend {_COMPILERS[device]} (NUMBA_CACHE_DIR names a folder that numba may write to)"
        if torch.compiler.is_exporting():
            remedy = "call the layer once before the export"
        warn_once(
            f"the kernel does not run on {device!r} ({type(error).__name__}: {reason}): backend 'mask' runs instead, "
            f"which is slow; {remedy}"
        )
        return False
    return True


def _try(device: str) -> None:
    """In a thread of its own, which knows neither transforms nor modes of the calling one."""
    failures: list[Exception] = []

    def call() -> None:
        try:
            x, seed = torch.ones(1, 1, 1, device=device), torch.zeros(1, dtype=torch.int64, device=device)
            module = "pernodedrop.backends." + ("gpu" if x.is_cuda else device)
            import_module(module).product(x, x[0], seed, Factors(1, 1))
        except Exception as error:  # which a thread would lose
            failures.append(error)

    alone = threading.Thread(target=call, daemon=True)
    alone.start()
    alone.join()
    if failures:
        raise failures[0]


class Kernel(Backend):
    """y in memory O(BTI + IJ + BTJ), for the laws that have a lowering.

    A probability is met within 2^-13 of the rarer outcome, and the scale is that of the probability met, so the
    mean is exactly 1. Masks of two states change over time in registers: nothing is kept of them either.
    """

    name = "kernel"
    gradient_noise = "full"

    def linear(self, x: Tensor, weight: Tensor, law: Law, generator: torch.Generator | None) -> Tensor:
        return self.layer(x, weight, None, law, generator)

    def layer(
        self, x: Tensor, weight: Tensor, bias: Tensor | None, law: Law, generator: torch.Generator | None
    ) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None  # refused otherwise
        seed = draws.seed(generator, device=x.device)
        probability = 1.0 if lowering.probability is None else lowering.probability
        sigma = 0.0 if lowering.variance is None else math.sqrt(lowering.variance)
        factors, met = drawn(probability, sigma=sigma)
        divisor = met if lowering.variance is None else 1.0
        return stirred_product(x, weight, seed, factors, divisor=divisor, bias=bias)

    def linear_over_time(
        self, x: Tensor, weight: Tensor, law: Law, over_time: OverTime, generator: torch.Generator | None
    ) -> Tensor:
        lowering = law.lowering()
        assert lowering is not None and lowering.probability is not None  # refused otherwise
        seed = draws.seed(generator, device=x.device)
        factors, met = drawn_over_time(lowering.probability, over_time.correlation, over_time.rows)
        return stirred_product(x, weight, seed, factors, divisor=met)

    def refusal_over_time(self, law: Law) -> str | None:
        lowering = law.lowering()
        if law.process is TWO_STATES and lowering is not None and not lowering.is_gaussian:
            return None
        return (
            f"backend 'kernel' has bernoulli masks alone where they change over time, got stir_type {law.name!r}: "
            "use 'auto' or 'mask'"
        )

    def suits_over_time(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        return self.refusal_over_time(law) is None and not x.is_complex() and not x.is_meta and self.is_available(x)

    def refusal(self, law: Law) -> str | None:
        if law.lowering() is not None:
            return None
        return f"backend 'kernel' knows no {law.name} stir: use 'mask' or 'auto'"

    def is_available(self, x: Tensor) -> bool:
        if is_available(x):
            return True
        if x.device.type in INSTALLED and not _works(x.device.type):
            return False  # which has been said
        why = "numba serves cpu; triton cuda, without float64"
        compiler = _COMPILERS.get(x.device.type)
        if compiler is not None and x.device.type not in INSTALLED:
            why = f"{compiler} is not installed here: pip install {compiler}"
        warn_once(f"no kernel for {x.dtype} on {x.device.type!r} ({why}): backend 'mask' runs instead, which is slow")
        return False

    def suits(self, x: Tensor, weight: Tensor, law: Law) -> bool:
        lowering = law.lowering()
        if lowering is None or x.is_complex() or x.is_meta:
            return False
        if lowering.is_gaussian and positions(x) >= min(weight.shape):
            # The mask is no larger than x or the output, and keeping normals costs less than drawing them twice.
            return False
        return self.is_available(x)
