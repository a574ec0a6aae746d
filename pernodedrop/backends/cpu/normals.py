"""N(0, 1) factors by the tile, two of two random words (Box and Muller 1958), made in registers.

The first word's sign, and its other bits as a number u in (0, 1), give a signed distance sqrt(-2 ln u); the second word is
an angle within half a turn. Of u the last bit is set, so that it is at least 2^-31: numbers reach as far as +-6.55,
beyond which there is one of 2 * 10^10. All 32 bits of an angle count near 0, else as many as a float holds.

The polynomials have the least largest error that their degree allows, found by linear programming: 1.4e-7 of -2 ln u,
6e-8 for the cosine, 3e-8 of the sine. With the rounding of floats, a distance is met within TODO of itself, and a normal
number within TODO of its pair's distance.
"""

from typing import Any

import numpy as np
from numba import float32, uint32, uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import (
    add,
    as_elements_of,
    bit_and,
    bit_or,
    bit_xor,
    load,
    multiply_floats,
    polynomial,
    product_plus,
    seen_as,
    splat,
    square_root,
    store,
    subtract,
    to_floats,
    where_negative,
)
from pernodedrop.backends.cpu.tiles import DRAWS, WORDS, draw_bits

PAIRS = 16  # side by side
_WORDS = PAIRS // 2  # of 64 bits, that hold a word for each of them


def _floats(*values: float) -> tuple[np.float32, ...]:
    return tuple(map(np.float32, values))


# -2 ln(1 + f) / f for f from sqrt(1/2) - 1 to sqrt(2) - 1, cos(pi t / 2) and sin(pi t / 2) / t, both in t^2 up to 1
_LOGARITHM = _floats(-1.9999998, 1.0000054, -0.6667316, 0.49945718, -0.39728522, 0.34392795, -0.3289664, 0.21006382)
_COSINE = _floats(0.99999994, -1.2336977, 0.25364742, -0.020804573, 0.00085483585)
_SINE = _floats(1.5707964, -0.645964, 0.079689406, -0.004671822, 0.0001500446)

_LAST, _SIGN, _REST = uint32(1), uint32(0x80000000), uint32(0x7FFFFFFF)
_EXPONENT = uint32(0xFF800000)
_LEAST = uint32(0x4EB504F3)  # sqrt(1/2) 2^31 as a float's bits: mantissas are taken from it up to twice it
_UNIT, _MINUS_ONE = np.float32(2.0**-31), np.float32(-1.0)
_PER_EXPONENT = np.float32(-2.0 * np.log(2.0) * 2.0**-23)


@compiled
def draw_normals(state: Any, words: Any, tiles: Any, start: int) -> None:
    """Fills tiles[start : start + 4096], counted through all tiles, with N(0, 1); words (64,) are scratch."""
    for first in range(start, start + DRAWS, 2 * WORDS):
        draw_bits(state, words, uint64(1), 1)
        for pair in range(0, WORDS, PAIRS):
            sure = seen_as(load(words, pair // 2, _WORDS), uint32)
            turn = seen_as(load(words, (WORDS + pair) // 2, _WORDS), uint32)
            distance = distances(sure)
            x, y = on_circle(turn, bit_and(sure, splat(_SIGN, PAIRS)))
            store(tiles, first + pair, as_elements_of(tiles, multiply_floats(distance, x)))
            store(tiles, first + WORDS + pair, as_elements_of(tiles, multiply_floats(distance, y)))


@compiled
def distances(words: Any) -> Any:
    """sqrt(-2 ln u) of 31 bits of each word."""
    u = to_floats(bit_or(words, splat(_LAST, PAIRS)))  # 2^31 times as large, with any sign
    bits = bit_and(seen_as(u, uint32), splat(_REST, PAIRS))
    # u = 2^e (1 + f), of which e is less than 0 or, up to f = 0, 0: so no digits cancel near u = 1
    exponent = bit_and(subtract(bits, splat(_LEAST, PAIRS)), splat(_EXPONENT, PAIRS))
    mantissa = seen_as(subtract(bits, exponent), float32)
    f = product_plus(mantissa, splat(_UNIT, PAIRS), splat(_MINUS_ONE, PAIRS))
    whole = multiply_floats(to_floats(exponent), splat(_PER_EXPONENT, PAIRS))
    return square_root(product_plus(f, polynomial(f, _LOGARITHM), whole))


@compiled
def on_circle(words: Any, signs: Any) -> Any:
    """The points of the unit circle at angles from minus to plus a quarter turn, the first coordinate with the signs."""
    t = multiply_floats(to_floats(words), splat(_UNIT, PAIRS))
    square = multiply_floats(t, t)
    cosine = bit_xor(seen_as(polynomial(square, _COSINE), uint32), signs)
    return seen_as(cosine, float32), multiply_floats(t, polynomial(square, _SINE))


@compiled
def keep_chosen(words: Any, tiles: Any, start: int) -> None:
    """Sets those of tiles[start : start + 4096] to 0 whose bit of words (64,) is not set."""
    for first in range(0, WORDS, _WORDS):
        bits = seen_as(load(words, first, _WORDS), uint32)
        for at in range(start + first * 64, start + (first + _WORDS) * 64, PAIRS):
            store(tiles, at, where_negative(bits, load(tiles, at, PAIRS)))
            bits = add(bits, bits)
