# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's functions take plain positional arguments
"""The factors of a tile, drawn in registers: a function of seed, sample, unit and connection alone, and of position
where they change over time.

`quads` draws those of `bernoulli` in another way, with the same random words' generator.

So forward and backward have the same mask, although they visit tiles in different orders and may cut them differently.
A group of 32 connections is decided at once: bit i of a word is connection i. A probability of n bits takes n random
words, which the bits of its numerator combine by one three-input operation each. Random words are Philox's with seven
rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3": the fewest that pass BigCrush).
"""

import math
from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl

GROUP = 32  # connections that a word decides
MOST_CALLS = 8  # of Philox for a group's decisions, four words each
CERTAIN_CALLS = 4  # of them for every group; the others refine decisions that these leave open, once in 65,536

inner: Callable[[Callable[..., Any]], Any] = triton.jit
# another rate, a last batch of fewer samples or a sequence of another length needs no new machine code
_ANY = ["keep", "sigma", "each", "samples", "positions", "copies", "fresh", "flip", "rows", "splits", "tiles"]
kernel: Callable[[Callable[..., Any]], Any] = triton.jit(do_not_specialize=_ANY)

_LANES: tl.constexpr = tl.constexpr(GROUP)
_CALLS: tl.constexpr = tl.constexpr(MOST_CALLS)
_CERTAIN: tl.constexpr = tl.constexpr(CERTAIN_CALLS)
_ROUNDS: tl.constexpr = tl.constexpr(7)
_FIRST: tl.constexpr = tl.constexpr(0xD2511F53)  # Philox's multipliers, and what its key grows by in a round
_SECOND: tl.constexpr = tl.constexpr(0xCD9E8D57)
_LOW_STEP: tl.constexpr = tl.constexpr(0x9E3779B9)
_HIGH_STEP: tl.constexpr = tl.constexpr(0xBB67AE85)
_LOG: tl.constexpr = tl.constexpr(-2.0 * math.log(2.0))
_SMALLEST: tl.constexpr = tl.constexpr(2.0**-32)
_HALF_ANGLE: tl.constexpr = tl.constexpr(math.pi * 2.0**-32)  # of a signed word


@inner
def stirred(values, key, group, sample, unit, keep, sigma, CALLS: tl.constexpr, NORMAL: tl.constexpr):
    """Values, broadcast to (GROUP, S, U), times the factors of samples (S, 1) and units (1, U): r, or 1 + sigma r n
    where NORMAL.

    r ~ Bernoulli(keep / 2^(4 CALLS)), 1 where CALLS is 0; n ~ N(0, 1).
    """
    if NORMAL:
        stirred = values * (1.0 + sigma * _normals(key, group, sample, unit))
        otherwise = values
    else:
        stirred = values
        otherwise = 0.0
    if CALLS > 0:
        lane = tl.arange(0, _LANES)[:, None, None]
        kept = (decisions(key, group, sample, unit, keep, 0, CALLS)[None, :, :] >> lane) & 1
        stirred = tl.where(kept != 0, stirred, otherwise)
    return stirred


@inner
def decisions(key, group, sample, unit, keep, first, CALLS: tl.constexpr):
    """Words (S, U): bit i is set where the random number of connection i is below `keep`; from call `first` on."""
    below = sample * 0 + unit * 0
    if CALLS <= _CERTAIN:
        return _refined(key, group, sample, unit, keep, below, first, CALLS)
    undecided = ~below
    for back in tl.static_range(_CERTAIN):
        a, b, c, d = philox(key, group, unit, sample, first + CALLS - 1 - back)
        below, undecided = _compared(below, undecided, d, keep, (CALLS - 1 - back) * 4 + 3)
        below, undecided = _compared(below, undecided, c, keep, (CALLS - 1 - back) * 4 + 2)
        below, undecided = _compared(below, undecided, b, keep, (CALLS - 1 - back) * 4 + 1)
        below, undecided = _compared(below, undecided, a, keep, (CALLS - 1 - back) * 4)
    if tl.max(tl.max((undecided != 0).to(tl.int32), axis=1), axis=0) != 0:
        rest = _refined(key, group, sample, unit, keep, below * 0, first, CALLS - _CERTAIN)
        below = below | (undecided & rest)
    return below


@inner
def _refined(key, group, sample, unit, keep, below, first, CALLS: tl.constexpr):
    """Compare with the last 4 CALLS bits of `keep`, the last first; `below` is what holds beyond them."""
    for call in tl.static_range(CALLS):
        a, b, c, d = philox(key, group, unit, sample, first + call)
        below = _combined(below, a, keep, call * 4)
        below = _combined(below, b, keep, call * 4 + 1)
        below = _combined(below, c, keep, call * 4 + 2)
        below = _combined(below, d, keep, call * 4 + 3)
    return below


@inner
def _combined(below, word, keep, level: tl.constexpr):
    """One more bit in front: below, if the bit of `keep` is set and the random one is not, or both and `below`."""
    bit = -((keep >> level) & 1)
    return (below & word) | (bit & (below | word))  # a majority: one instruction; words and their complements are alike


@inner
def _compared(below, undecided, word, keep, level: tl.constexpr):
    """One more bit behind: decides where it differs from that of `keep`, as `_combined` would."""
    bit = -((keep >> level) & 1)
    return below | (undecided & bit & word), undecided & (bit ^ word)


@inner
def _normals(key, group, sample, unit):
    """Independent N(0, 1) numbers (GROUP, S, U)."""
    call = tl.arange(0, _LANES // 4)[:, None, None] + _CALLS
    a, b, c, d = philox(key, group, unit[None, :, :], sample[None, :, :], call)
    first, second = _pair(a, b)
    third, fourth = _pair(c, d)
    return _stacked(_stacked(first, second), _stacked(third, fourth))


@inner
def _pair(a, b):
    """Two independent N(0, 1) numbers from two random words (Box and Muller 1958).

    The angle is 2 h with h in [-pi / 2, pi / 2), where Taylor polynomials meet sin h and cos h within 1e-7: the
    library's functions are ready for any angle, and cost ten times as much.
    """
    radius = tl.sqrt(tl.log2(tl.maximum(tl.uint_to_uniform_float(a), _SMALLEST)) * _LOG)
    h = b.to(tl.float32) * _HALF_ANGLE
    q = h * h
    s = h * (1.0 + q * (-1 / 6 + q * (1 / 120 + q * (-1 / 5040 + q * (1 / 362880 - q / 39916800)))))
    c = 1.0 + q * (-1 / 2 + q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320 + q * (-1 / 3628800 + q / 479001600)))))
    return radius * (1.0 - 2.0 * s * s), radius * (2.0 * s * c)


@inner
def _stacked(a, b):
    """Two (N, S, U) one above the other: (2 N, S, U)."""
    return tl.reshape(tl.permute(tl.join(a, b), (3, 0, 1, 2)), (2 * a.shape[0], a.shape[1], a.shape[2]))


@inner
def philox(key, group, unit, sample, call):
    """Four random words of the shape to which the counter's words broadcast: Philox 4x32 with seven rounds.

    Its products are of 64 bits, one instruction each, where `tl.philox` computes their halves apart by two.
    """
    zero = group * 0 + unit * 0 + sample * 0 + call * 0
    a = (zero + group).to(tl.uint32, bitcast=True)
    b = (zero + unit).to(tl.uint32, bitcast=True)
    c = (zero + sample).to(tl.uint32, bitcast=True)
    d = (zero + call).to(tl.uint32, bitcast=True)
    low, high = key.to(tl.uint32), (key >> 32).to(tl.uint32)
    for _ in tl.static_range(_ROUNDS):
        first, second = a.to(tl.uint64) * _FIRST, c.to(tl.uint64) * _SECOND
        a, c = (second >> 32).to(tl.uint32) ^ b ^ low, (first >> 32).to(tl.uint32) ^ d ^ high
        b, d = second.to(tl.uint32), first.to(tl.uint32)
        low, high = low + _LOW_STEP, high + _HIGH_STEP
    return (
        a.to(tl.int32, bitcast=True),
        b.to(tl.int32, bitcast=True),
        c.to(tl.int32, bitcast=True),
        d.to(tl.int32, bitcast=True),
    )
