"""The kernels on torch's number of threads."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pernodedrop.backends.cpu.draws import Draws, of_tiles
from pernodedrop.backends.cpu.filling import RUN
from pernodedrop.backends.cpu.lanes import ROWS
from pernodedrop.backends.cpu.products import add_gradients, add_product, tiling
from pernodedrop.backends.cpu.team import each
from pernodedrop.backends.cpu.workspace import borrowed
from pernodedrop.backends.factors import Chain, Factors

Array = NDArray[Any]
Span = tuple[int, int]
BITS_EACH, NORMALS_EACH = 1 << 19, 1 << 18  # products of a thread that are worth its start
TYPES = {np.dtype(np.float32): torch.float32, np.dtype(np.float64): torch.float64}
COPIES = 4  # of the input, and of the weight, that backward may sum in at once


def product(x: Array, weight: Array, seed: int, factors: Factors | Chain) -> Array:
    """sum_i x_bti m_bji W_ji for x (B, T, I), weight (J, I), I a multiple of STEP."""
    units = weight.shape[0]
    threads = _threads(x, units, factors)
    y = torch.zeros((*x.shape[:2], units + -units % ROWS), dtype=TYPES[x.dtype], device="cpu").numpy()
    if not y.size:
        return y[..., :units]
    _, _, unit_tiles, _ = tiling(*weight.shape)
    runs = spans(-(-x.shape[0] // RUN), threads)
    blocks = spans(unit_tiles, threads // len(runs))
    key, drawn, normal = _drawn(seed, factors)

    def work(part: tuple[Span, Span]) -> None:
        (first, stop), units = part
        samples = first * RUN, min(stop * RUN, x.shape[0])
        with borrowed(x.dtype, normal) as space:
            add_product(x, weight, y, (key, drawn, space), (samples, units))

    each(work, [(r, b) for r in runs for b in blocks])
    return y if y.shape[-1] == units else np.ascontiguousarray(y[..., :units])


def gradients(
    grad: Array, x: Array, weight: Array, seed: int, factors: Factors | Chain, *, of_x: bool = True
) -> tuple[Array | None, Array]:
    """The gradients of `product` in x, or None where not `of_x`, and in weight, given grad (B, T, J).

    The sums take the memory of at most COPIES inputs and COPIES weights, whatever the number of threads.
    """
    if not grad.size or not x.size:
        return np.zeros_like(x) if of_x else None, np.zeros_like(weight)
    threads = _threads(x, weight.shape[0], factors)
    _, _, unit_tiles, tiles = tiling(*weight.shape)
    # Threads that share connections differ in units, and sum the input's gradient each for itself, or differ in
    # samples, and sum the weight's.
    parts = spans(tiles, threads)
    blocks = spans(unit_tiles, min(threads // len(parts), COPIES))
    runs = spans(-(-x.shape[0] // RUN), min(threads // (len(parts) * len(blocks)), COPIES))
    dtype = TYPES[x.dtype]  # torch's memory begins with a line of the cache, numpy's need not
    grad_x = torch.empty((len(blocks), *x.shape), dtype=dtype, device="cpu").numpy() if of_x else None
    grad_weight = torch.empty((len(runs), *weight.shape), dtype=dtype, device="cpu").numpy()
    key, drawn, normal = _drawn(seed, factors)

    def work(piece: tuple[int, int, Span]) -> None:
        block, run, connections = piece
        samples = runs[run][0] * RUN, min(runs[run][1] * RUN, x.shape[0])
        spans = samples, blocks[block], connections
        with borrowed(x.dtype, normal) as space:
            sums_of_x = None if grad_x is None else grad_x[block].reshape(-1)
            add_gradients((grad, x, weight), sums_of_x, grad_weight[run], (key, drawn, space), spans)

    each(work, [(block, run, part) for block in range(len(blocks)) for run in range(len(runs)) for part in parts])
    return None if grad_x is None else _summed(grad_x), _summed(grad_weight)


def _summed(copies: Array) -> Array:
    total: Array = copies[0] if len(copies) == 1 else copies.sum(0)
    return total


def spans(count: int, parts: int) -> list[Span]:
    """range(count) cut into at most `parts` (at least one) contiguous spans of nearly equal length."""
    parts = max(1, min(parts, count))
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _threads(x: Array, units: int, factors: Factors | Chain) -> int:
    """Of torch's threads as many as have work enough: starting one takes up to 100 us where it does not spin."""
    each = NORMALS_EACH if isinstance(factors, Factors) and factors.is_normal else BITS_EACH
    return max(1, min(torch.get_num_threads(), x.size * units // each))


def _drawn(seed: int, factors: Factors | Chain) -> tuple[np.uint64, Draws | Chain, bool]:
    """The key, how the factors are drawn, and whether they are normal."""
    return np.uint64(seed), of_tiles(factors), isinstance(factors, Factors) and factors.is_normal
