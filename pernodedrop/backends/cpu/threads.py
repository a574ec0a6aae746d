"""The kernels on torch's number of threads."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pernodedrop.backends.cpu.draws import Draws, of_tiles
from pernodedrop.backends.cpu.products import (
    add_gradient_weight,
    add_gradient_x,
    add_gradients,
    add_product,
    tiling,
)
from pernodedrop.backends.cpu.team import each
from pernodedrop.backends.cpu.tiles import DRAWS, RUN
from pernodedrop.backends.factors import Chain, Factors

Array = NDArray[Any]
Span = tuple[int, int]
COPIES = 4  # of the input that backward may sum in at once


def product(x: Array, weight: Array, seed: int, factors: Factors | Chain) -> Array:
    """sum_i x_bti m_bji W_ji for x (B, T, I), weight (J, I), I a multiple of LANES."""
    threads = torch.get_num_threads()
    y = np.zeros((*x.shape[:2], weight.shape[0]), x.dtype)
    _, _, unit_tiles, _ = tiling(*weight.shape)
    runs = spans(-(-x.shape[0] // RUN), threads)
    blocks = spans(unit_tiles, threads // len(runs))

    def work(part: tuple[Span, Span]) -> None:
        (first, stop), units = part
        samples = first * RUN, min(stop * RUN, x.shape[0])
        add_product(x, weight, y, _source(x, seed, factors), (samples, units))

    each(work, [(r, b) for r in runs for b in blocks])
    return y


def gradients(grad: Array, x: Array, weight: Array, seed: int, factors: Factors | Chain) -> tuple[Array, Array]:
    """The gradients of `product` in x and weight, given grad (B, T, J).

    The sums take the memory of at most COPIES + 1 inputs, whatever the number of threads.
    """
    threads = torch.get_num_threads()
    _, _, unit_tiles, tiles = tiling(*weight.shape)
    parts = spans(tiles, threads)
    blocks = spans(unit_tiles, threads // len(parts))
    if len(blocks) > COPIES:
        return _gradients_in_turn((grad, x, weight), seed, factors, threads)
    # threads that share connections differ in units: each sums a separate input gradient
    grad_x = np.zeros((len(blocks), *x.shape), x.dtype)
    grad_weight = np.zeros_like(weight)

    def work(part: tuple[int, Span]) -> None:
        own, connections = part
        spans = blocks[own], connections
        add_gradients((grad, x, weight), grad_x[own], grad_weight, _source(x, seed, factors), spans)

    each(work, [(own, p) for own in range(len(blocks)) for p in parts])
    return (grad_x[0] if len(blocks) == 1 else grad_x.sum(0)), grad_weight


def _gradients_in_turn(
    operands: tuple[Array, Array, Array], seed: int, factors: Factors | Chain, threads: int
) -> tuple[Array, Array]:
    """One gradient after the other, each shared by its own entries: every factor is drawn twice."""
    _, x, weight = operands
    _, _, unit_tiles, tiles = tiling(*weight.shape)
    parts = spans(tiles, threads)
    grad_weight = np.zeros_like(weight)

    def work_weight(span: tuple[Span, Span]) -> None:
        add_gradient_weight(operands, grad_weight, _source(x, seed, factors), span)

    each(work_weight, [(b, p) for b in spans(unit_tiles, threads // len(parts)) for p in parts])
    runs = spans(-(-x.shape[0] // RUN), threads // len(parts))
    blocks = spans(unit_tiles, min(threads // (len(parts) * len(runs)), COPIES))
    grad_x = np.zeros((len(blocks), *x.shape), x.dtype)

    def work_x(piece: tuple[int, Span, Span]) -> None:
        own, (first, stop), connections = piece
        samples = first * RUN, min(stop * RUN, x.shape[0])
        add_gradient_x(operands, grad_x[own], _source(x, seed, factors), (samples, blocks[own], connections))

    each(work_x, [(own, r, p) for own in range(len(blocks)) for r in runs for p in parts])
    return (grad_x[0] if len(blocks) == 1 else grad_x.sum(0)), grad_weight


def spans(count: int, parts: int) -> list[Span]:
    """range(count) cut into at most `parts` (at least one) contiguous spans of nearly equal length."""
    parts = max(1, min(parts, count))
    return [(count * part // parts, count * (part + 1) // parts) for part in range(parts)]


def _source(x: Array, seed: int, factors: Factors | Chain) -> tuple[Array, np.uint64, Draws | Chain]:
    normal = isinstance(factors, Factors) and factors.normal
    tile = np.empty(DRAWS, x.dtype) if normal else np.empty(DRAWS // 32, np.uint32)
    return tile, np.uint64(seed), of_tiles(factors)
