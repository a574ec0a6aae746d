# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: PLR0917 - Triton's functions take plain positional arguments
"""Decisions of 0 or 1 for large tiles: one call of Philox gives a random bit to 32 connections of four units.

A decision compares a random number, whose binary digits are drawn one after another, with a probability of 32 digits:
the first digit that differs decides. Digits that are drawn for all take a call each; eight of them leave one decision
in 256 open, a tie. A further call is 32 random digits for one tie of each word, the lowest first, until there is none.
So every decision is exact, and independent of all others, in about ten calls for four words instead of sixteen.
"""

import triton.language as tl

from pernodedrop.backends.gpu.factors import inner, philox


@inner
def decided(key, group, sample, quad, keep, DIGITS: tl.constexpr, TIES: tl.constexpr):
    """Words (S, 4 Q) for samples (S, 1) and quads of units (1, Q): bit i is set with probability keep / 2^32.

    DIGITS are drawn for all; then TIES further calls, where `keep` has more digits (0 where not), and those it takes.
    """
    nothing = sample * 0 + quad * 0
    below_a, below_b, below_c, below_d = nothing, nothing, nothing, nothing
    open_a, open_b, open_c, open_d = ~nothing, ~nothing, ~nothing, ~nothing
    for digit in tl.static_range(DIGITS):
        a, b, c, d = philox(key, group, quad, sample, digit)
        bit = -((keep >> (31 - digit)) & 1)
        below_a, open_a = _compared(below_a, open_a, a, bit)
        below_b, open_b = _compared(below_b, open_b, b, bit)
        below_c, open_c = _compared(below_c, open_c, c, bit)
        below_d, open_d = _compared(below_d, open_d, d, bit)
    if TIES > 0:
        rest = keep << DIGITS
        for call in tl.static_range(TIES):
            a, b, c, d = philox(key, group, quad, sample, DIGITS + call)
            below_a, open_a = _untied(below_a, open_a, a, rest)
            below_b, open_b = _untied(below_b, open_b, b, rest)
            below_c, open_c = _untied(below_c, open_c, c, rest)
            below_d, open_d = _untied(below_d, open_d, d, rest)
        last = DIGITS + TIES
        while tl.max(tl.max(((open_a | open_b | open_c | open_d) != 0).to(tl.int32), axis=1), axis=0) != 0:
            a, b, c, d = philox(key, group, quad, sample, last)
            below_a, open_a = _untied(below_a, open_a, a, rest)
            below_b, open_b = _untied(below_b, open_b, b, rest)
            below_c, open_c = _untied(below_c, open_c, c, rest)
            below_d, open_d = _untied(below_d, open_d, d, rest)
            last += 1
    words = tl.join(tl.join(below_a, below_c), tl.join(below_b, below_d))
    return tl.reshape(words, (nothing.shape[0], 4 * nothing.shape[1]))


@inner
def _compared(below, undecided, word, bit):
    """One more digit: where it is not that of `keep`, which is 0 or -1 here, it decides."""
    return below | (undecided & bit & ~word), undecided & ~(bit ^ word)


@inner
def _untied(below, undecided, word, rest):
    """Decide the lowest connection of each word that is undecided: is a random number below `rest`?"""
    lowest = undecided & -undecided
    is_below = word.to(tl.uint32, bitcast=True) < rest.to(tl.uint32, bitcast=True)
    return below | tl.where(is_below, lowest, 0), undecided ^ lowest
