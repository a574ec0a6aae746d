"""The stirred product in Triton: factors in registers, drawn again in backward, summed without atomics.

Computes in single precision. With TRITON_INTERPRET=1 set before triton is imported it runs on CPU tensors too.
"""

from typing import Any, NamedTuple, TypeGuard

import torch
import triton
from torch import Tensor

from pernodedrop.backends.factors import Chain, Factors
from pernodedrop.backends.gpu import chain, passes, shared, single
from pernodedrop.backends.gpu.factors import CERTAIN_CALLS, GROUP, MOST_CALLS
from pernodedrop.backends.gpu.tiles import TILE, Tile

MOST_POSITIONS, LEAST_POSITIONS = 64, 16  # at once; 16 is the smallest matrix that tl.dot multiplies
PROGRAMS = 1024  # at least, to fill a GPU: sums are cut for it by their sizes alone, so that every chip sums alike
LEAST_EACH = 4  # tiles of a sum a program


def product(x: Tensor, weight: Tensor, seed: Tensor, factors: Factors | Chain, *, tile: Tile | None = None) -> Tensor:
    """Compute `stirred_product.stirred_product`: x (B, T, I) and weight (J, I) give (B, T, J).

    `tile`: None chooses by the sizes.
    """
    x, weight = x.contiguous(), weight.contiguous()
    if _is_bernoulli(factors, x, weight):
        return passes.product(x, weight, seed, factors, tile=tile)
    plan = _Plan(x, weight, factors, tile or TILE)
    y = _Result((*x.shape[:2], plan.units), x.dtype, plan.sample_tiles * plan.unit_tiles, plan.groups)
    return plan.run("product", (x, weight), y, seed)


def gradients(
    grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, factors: Factors | Chain, *, tile: Tile | None = None
) -> tuple[Tensor, Tensor]:
    """The gradients of `product` in x and weight, given grad (B, T, J)."""
    grad, x, weight = grad.contiguous(), x.contiguous(), weight.contiguous()
    if _is_bernoulli(factors, x, weight):
        return passes.gradients(grad, x, weight, seed, factors, tile=tile)
    plan = _Plan(x, weight, factors, tile or TILE)
    of_x = _Result(tuple(x.shape), x.dtype, plan.sample_tiles * plan.groups, plan.unit_tiles)
    sums = plan.samples if plan.is_shared else plan.sample_tiles
    of_weight = _Result(tuple(weight.shape), weight.dtype, plan.unit_tiles * plan.groups, sums)
    return (
        plan.run("gradient_x", (grad, weight), of_x, seed),
        plan.run("gradient_weight", (grad, x), of_weight, seed),
    )


def _is_bernoulli(factors: Factors | Chain, x: Tensor, weight: Tensor) -> TypeGuard[Factors]:
    """Whether `passes` serves: one position a sample, factors of 0 and 1 that are drawn, and nothing is empty."""
    is_binary = isinstance(factors, Factors) and not factors.is_normal and factors.bits > 0
    return is_binary and x.shape[1] == 1 and x.numel() > 0 and weight.numel() > 0


class _Result(NamedTuple):
    """A tensor that `pieces` programs write, each a sum of `tiles`."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    pieces: int
    tiles: int


class _Plan:
    """How the sizes are cut into programs, and the numbers that every kernel takes."""

    def __init__(self, x: Tensor, weight: Tensor, factors: Factors | Chain, tile: Tile) -> None:
        self.samples, positions, connections = x.shape
        self.units = weight.shape[0]
        self.is_shared = positions > 1 and isinstance(factors, Factors)
        self.groups = triton.cdiv(connections, GROUP)
        self._sizes: tuple[int, ...]
        if not self.is_shared:
            is_chain = isinstance(factors, Chain)
            self._kernels: Any = chain if is_chain else single
            self._sizes = (self.samples, *([positions] if is_chain else []), connections, self.units)
            cut = {"SAMPLES": tile.samples, "UNITS": tile.units}
            self.sample_tiles = triton.cdiv(self.samples, tile.samples)
        else:
            self._kernels = shared
            self._sizes = (self.samples, positions, connections, self.units)
            step = min(max(triton.next_power_of_2(positions), LEAST_POSITIONS), MOST_POSITIONS)
            cut = {"POSITIONS": step, "UNITS": tile.shared_units}
            self.sample_tiles = self.samples * triton.cdiv(positions, step)
        self.unit_tiles = triton.cdiv(self.units, cut["UNITS"])
        self._numbers, drawn = _drawing(factors)
        self._adds = isinstance(factors, Chain)  # what a tile adds, to what lies in the result already
        self._options = {**drawn, **cut}
        self._options |= {"num_warps": tile.warps, "enable_fp_fusion": True}

    def run(self, kernel: str, operands: tuple[Tensor, Tensor], result: _Result, seed: Tensor) -> Tensor:
        """Launch a kernel; a long sum of few pieces is cut into parts, so that there are programs enough."""
        first = operands[0]
        if not result.pieces or not result.tiles:
            return first.new_zeros(result.shape, dtype=result.dtype)
        each = max(triton.cdiv(result.tiles, max(1, PROGRAMS // result.pieces)), LEAST_EACH)
        parts = triton.cdiv(result.tiles, each)
        is_final = parts == 1 and not self._adds
        out = first.new_empty((parts, *result.shape), dtype=result.dtype if is_final else torch.float32)
        launch = getattr(self._kernels, kernel)[result.pieces * parts,]
        launch(*operands, out, seed, *self._sizes, *self._numbers, each, **self._options)
        return (out[0] if parts == 1 else out.sum(0)).to(result.dtype)


def _drawing(factors: Factors | Chain) -> tuple[tuple[int | float, ...], dict[str, int | bool]]:
    """The numbers with which a kernel draws, and the constants for which it is compiled."""
    keep, calls = _decision(factors.keep, factors.bits)
    if isinstance(factors, Factors):
        return (keep, factors.sigma), {"CALLS": calls, "NORMAL": factors.is_normal}
    copies, copy_calls = _decision(factors.copies, factors.copy_bits)
    fresh, fresh_calls = _decision(factors.fresh, factors.fresh_bits)
    numbers = keep, copies, fresh, -int(factors.alternates), factors.rows
    return numbers, {"CALLS": calls, "COPY": copy_calls, "FRESH": fresh_calls}


def _decision(keep: int, bits: int) -> tuple[int, int]:
    """The numerator over 2^(4 calls), as a signed word, and how many calls a group's decisions take."""
    calls = triton.cdiv(bits, 4)
    if calls > CERTAIN_CALLS:
        calls = MOST_CALLS
    aligned = keep << (4 * calls - bits)
    return aligned - (aligned >> 31 << 32), calls
