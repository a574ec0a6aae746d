# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's kernels take plain positional arguments
"""The stirred product in Triton: factors from Philox in registers, drawn again in backward, summed without atomics.

Computes in single precision. With TRITON_INTERPRET=1 set before triton is imported it runs on CPU tensors too.
"""

from collections.abc import Callable
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

_UNITS = 16  # units a tile
_CONNECTIONS = 128  # connections a tile
_POSITIONS = 16  # the smallest matrix that tl.dot multiplies

_kernel: Callable[[Callable[..., Any]], Any] = triton.jit


def product(x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> Tensor:
    """As `stirred_product.stirred_product`: x (B, T, I) and weight (J, I) give (B, T, J)."""
    x, weight = x.contiguous(), weight.contiguous()
    samples, positions, connections = x.shape
    units = weight.shape[0]
    y = x.new_empty((samples, positions, units))
    step = 1 if positions == 1 else _POSITIONS
    grid = (samples, triton.cdiv(units, _UNITS), triton.cdiv(positions, step))
    if y.numel():
        _product[grid](x, weight, y, seed, positions, connections, units, **_settings(law, step))
    return y


def gradients(grad: Tensor, x: Tensor, weight: Tensor, seed: Tensor, law: list[int]) -> tuple[Tensor, Tensor]:
    """The gradients of `product` in x and weight, given grad (B, T, J)."""
    grad, x, weight = grad.contiguous(), x.contiguous(), weight.contiguous()
    samples, positions, connections = x.shape
    units = weight.shape[0]
    grad_x, grad_weight = torch.empty_like(x), torch.empty_like(weight)
    step = 1 if positions == 1 else _POSITIONS
    sizes = (samples, positions, connections, units)
    tiles = triton.cdiv(connections, _CONNECTIONS)
    if x.numel():
        spread = (samples, tiles, triton.cdiv(positions, step))
        _grad_x[spread](grad, weight, grad_x, seed, *sizes[1:], **_settings(law, step))
    if weight.numel():
        pairs = (triton.cdiv(units, _UNITS), tiles)
        _grad_weight[pairs](grad, x, grad_weight, seed, *sizes, **_settings(law, step))
    return grad_x, grad_weight


def _settings(law: list[int], step: int) -> dict[str, int]:
    keep, bits, normal = law
    # decisions as wide as the law needs: 8, 16 or 32 of a word's bits each
    width = next(width for width in (8, 16, 32) if bits <= width)
    return {
        "keep": keep << (width - bits),
        "WIDTH": width,
        "ALWAYS": bits == 0,
        "NORMAL": normal,
        "STEP": step,
        "UNITS": _UNITS,
        "CONNECTIONS": _CONNECTIONS,
    }


@_kernel
def _four(a, b, c, d):
    return tl.interleave(tl.interleave(a, b), tl.interleave(c, d))


@_kernel
def _factors(
    seed,
    sample,
    unit,
    first,
    connections,
    units,
    keep,
    WIDTH: tl.constexpr,
    ALWAYS: tl.constexpr,
    NORMAL: tl.constexpr,
    CONNECTIONS: tl.constexpr,
):
    """The factors (UNITS, CONNECTIONS) of a tile: r, or r n, as a function of seed, sample, unit and connection."""
    row = (sample.to(tl.int64) * units + unit) * tl.cdiv(connections, CONNECTIONS) + first // CONNECTIONS
    if ALWAYS:
        factors = tl.full((unit.shape[0], CONNECTIONS), 1.0, tl.float32)
    else:
        calls: tl.constexpr = CONNECTIONS * WIDTH // 128
        counter = row[:, None] * calls + tl.arange(0, calls)[None, :]
        a, b, c, d = tl.randint4x(seed, counter)
        words = _four(a, b, c, d)
        if WIDTH == 32:
            drawn = words
        elif WIDTH == 16:
            drawn = tl.interleave(words & 0xFFFF, words >> 16)
        else:
            drawn = _four(words & 0xFF, (words >> 8) & 0xFF, (words >> 16) & 0xFF, words >> 24)
        factors = tl.where(drawn.to(tl.uint32, bitcast=True) < keep, 1.0, 0.0)
    if NORMAL:
        counter = row[:, None] * (CONNECTIONS // 4) + tl.arange(0, CONNECTIONS // 4)[None, :]
        a, b, c, d = tl.randn4x(seed + 1, counter)
        factors *= _four(a, b, c, d)
    return factors


@_kernel
def _matrix(pointer, rows, columns, row, column):
    """A (ROWS, COLUMNS) piece of a contiguous matrix in single precision, 0 beyond its edges."""
    at = row.to(tl.int64)[:, None] * columns + column[None, :]
    return tl.load(pointer + at, mask=(row < rows)[:, None] & (column < columns)[None, :], other=0.0).to(tl.float32)


@_kernel
def _product(
    x,
    weight,
    y,
    seed,
    positions,
    connections,
    units,
    keep,
    WIDTH: tl.constexpr,
    ALWAYS: tl.constexpr,
    NORMAL: tl.constexpr,
    STEP: tl.constexpr,
    UNITS: tl.constexpr,
    CONNECTIONS: tl.constexpr,
):
    sample = tl.program_id(0)
    unit = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    position = tl.program_id(2) * STEP + tl.arange(0, STEP)
    x += sample.to(tl.int64) * positions * connections
    key = tl.load(seed)
    total = tl.zeros((STEP, UNITS), tl.float32)
    for first in range(0, connections, CONNECTIONS):
        connection = first + tl.arange(0, CONNECTIONS)
        m = _factors(key, sample, unit, first, connections, units, keep, WIDTH, ALWAYS, NORMAL, CONNECTIONS)
        stirred = m * _matrix(weight, units, connections, unit, connection)
        inputs = _matrix(x, positions, connections, position, connection)
        if STEP == 1:
            total += tl.sum(stirred * inputs, axis=1)[None, :]
        else:
            total += tl.dot(inputs, tl.trans(stirred), input_precision="ieee")
    at = (sample.to(tl.int64) * positions + position)[:, None] * units + unit[None, :]
    tl.store(y + at, total, mask=(position < positions)[:, None] & (unit < units)[None, :])


@_kernel
def _grad_x(
    grad,
    weight,
    grad_x,
    seed,
    positions,
    connections,
    units,
    keep,
    WIDTH: tl.constexpr,
    ALWAYS: tl.constexpr,
    NORMAL: tl.constexpr,
    STEP: tl.constexpr,
    UNITS: tl.constexpr,
    CONNECTIONS: tl.constexpr,
):
    sample = tl.program_id(0)
    first = tl.program_id(1) * CONNECTIONS
    connection = first + tl.arange(0, CONNECTIONS)
    position = tl.program_id(2) * STEP + tl.arange(0, STEP)
    grad += sample.to(tl.int64) * positions * units
    key = tl.load(seed)
    total = tl.zeros((STEP, CONNECTIONS), tl.float32)
    for start in range(0, units, UNITS):
        unit = start + tl.arange(0, UNITS)
        m = _factors(key, sample, unit, first, connections, units, keep, WIDTH, ALWAYS, NORMAL, CONNECTIONS)
        stirred = m * _matrix(weight, units, connections, unit, connection)
        g = _matrix(grad, positions, units, position, unit)
        if STEP == 1:
            total += tl.sum(stirred * tl.trans(g), axis=0)[None, :]
        else:
            total += tl.dot(g, stirred, input_precision="ieee")
    at = (sample.to(tl.int64) * positions + position)[:, None] * connections + connection[None, :]
    tl.store(grad_x + at, total, mask=(position < positions)[:, None] & (connection < connections)[None, :])


@_kernel
def _grad_weight(
    grad,
    x,
    grad_weight,
    seed,
    samples,
    positions,
    connections,
    units,
    keep,
    WIDTH: tl.constexpr,
    ALWAYS: tl.constexpr,
    NORMAL: tl.constexpr,
    STEP: tl.constexpr,
    UNITS: tl.constexpr,
    CONNECTIONS: tl.constexpr,
):
    unit = tl.program_id(0) * UNITS + tl.arange(0, UNITS)
    first = tl.program_id(1) * CONNECTIONS
    connection = first + tl.arange(0, CONNECTIONS)
    key = tl.load(seed)
    total = tl.zeros((UNITS, CONNECTIONS), tl.float32)
    for b in range(samples):
        sample = tl.full((), b, tl.int32)
        outer = tl.zeros((UNITS, CONNECTIONS), tl.float32)
        for start in range(0, positions, STEP):
            position = start + tl.arange(0, STEP)
            here = sample.to(tl.int64) * positions
            g = _matrix(grad + here * units, positions, units, position, unit)
            inputs = _matrix(x + here * connections, positions, connections, position, connection)
            if STEP == 1:
                outer += tl.trans(g) * inputs
            else:
                outer += tl.dot(tl.trans(g), inputs, input_precision="ieee")
        m = _factors(key, sample, unit, first, connections, units, keep, WIDTH, ALWAYS, NORMAL, CONNECTIONS)
        total += m * outer
    at = unit.to(tl.int64)[:, None] * connections + connection[None, :]
    tl.store(grad_weight + at, total, mask=(unit < units)[:, None] & (connection < connections)[None, :])
