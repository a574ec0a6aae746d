"""N(0, 1) factors by the tile, two of two random words (Box and Muller 1958), made in registers.

The sign of the first word, and its other bits as a number u in (0, 1), give the distance sqrt(-2 ln u) of a point from
the origin and a side; the second word is an angle within half a turn. The last bit of u is set, so that u is at least
2^-31: numbers reach as far as 6.55, beyond which lies one of 2 * 10^10.

Both words are rounded to floats, as any number is; near u = 1 that moves a distance r by up to 3e-8 / r, 2.4e-4 at the
least r. From there on, polynomials of nearly the least error of their degree meet the distance within 2e-7 of itself,
sine and cosine within 2.3e-7: a number is off by less than 5e-7 of its pair's distance.
"""

from typing import Any

import numpy as np
from numba import float32, uint32, uint64

from pernodedrop.backends.cpu.caching import compiled
from pernodedrop.backends.cpu.lanes import (
    BLOCK,
    add,
    as_elements_of,
    bit_and,
    bit_or,
    bit_xor,
    everywhere,
    highest_bit,
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
)
from pernodedrop.backends.cpu.processor import has_avx512
from pernodedrop.backends.cpu.tiles import DRAWS, WORDS, draw_bits

PAIRS = 16 if has_avx512() else 32  # side by side: what keeps the units busy
_WORDS = PAIRS // 2  # of 64 bits, that hold a word for each of them
_KEPT = BLOCK // 2  # likewise for a block

# -2^23 log2(1 + f) / f for f from sqrt(1/2) - 1 to sqrt(2) - 1; sqrt(2^-22 ln 2) times cos(pi t / 2) and
# sin(pi t / 2) / t, both in t^2 up to 1. So a distance has the unit sqrt(2^-22 ln 2), which spares a product.
_logarithm = polynomial(-12102202, 6051134.5, -4034460.75, 3022266.25, -2404013.25, 2081143, -1990609.12, 1271117.5)
_cosine = polynomial(0.00040652079, -0.000501523784, 0.00010311295, -8.45749219e-06, 3.47508546e-07)
_sine = polynomial(0.00063856144, -0.000262597809, 3.23954009e-05, -1.89919285e-06, 6.09962498e-08)

_last, _sign, _rest, _exponent = (
    everywhere(np.uint32(bits), PAIRS) for bits in (1, 0x80000000, 0x7FFFFFFF, 0xFF800000)
)
# sqrt(2) 2^31 as a float: mantissas are taken from half of it to it
_greatest = everywhere(np.uint32(0x4F3504F3), PAIRS)
_unit, _minus_one = everywhere(np.float32(2.0**-31), PAIRS), everywhere(np.float32(-1.0), PAIRS)


@compiled
def draw_normals(state: Any, words: Any, tiles: Any, start: int, mean: float, sigma: float) -> None:
    """Fills tiles[start : start + 4096], counted through all tiles, with N(mean, sigma^2); words (64,) are scratch."""
    centre, spread = splat(tiles.dtype.type(mean), PAIRS), splat(float32(sigma), PAIRS)
    for first in range(start, start + DRAWS, 2 * WORDS):
        draw_bits(state, words, 0, uint64(1), 1)
        for pair in range(0, WORDS, PAIRS):
            sure = seen_as(load(words, pair // 2, _WORDS), uint32)
            turn = seen_as(load(words, (WORDS + pair) // 2, _WORDS), uint32)
            distance = as_elements_of(tiles, multiply_floats(distances(sure), spread))
            x, y = on_circle(turn, bit_and(sure, _sign()))
            store(tiles, first + pair, product_plus(distance, as_elements_of(tiles, x), centre))
            store(tiles, first + WORDS + pair, product_plus(distance, as_elements_of(tiles, y), centre))


@compiled
def distances(words: Any) -> Any:
    """sqrt(-2 ln u) of 31 bits of each word, in the unit sqrt(2^-22 ln 2)."""
    u = to_floats(bit_or(words, _last()))  # 2^31 times as large, with any sign
    bits = bit_and(seen_as(u, uint32), _rest())
    # u = (1 + f) / 2^e, of which e is more than 0 or, up to f = 0, 0: so no digits cancel near u = 1
    exponent = bit_and(subtract(_greatest(), bits), _exponent())  # 2^23 e
    f = product_plus(seen_as(add(bits, exponent), float32), _unit(), _minus_one())
    return square_root(product_plus(f, _logarithm(f), to_floats(exponent)))


@compiled
def on_circle(words: Any, signs: Any) -> Any:
    """The points of a circle of radius sqrt(2^-22 ln 2) at angles within a quarter turn of 0, x with the signs."""
    t = multiply_floats(to_floats(words), _unit())
    square = multiply_floats(t, t)
    cosine = bit_xor(seen_as(_cosine(square), uint32), signs)
    return seen_as(cosine, float32), multiply_floats(t, _sine(square))


@compiled
def one_plus_chosen(words: Any, tiles: Any, start: int) -> None:
    """Adds 1 to those of tiles[start : start + 4096] whose bit of words (64,) is set, and sets the others to 1."""
    one = splat(tiles.dtype.type(1), BLOCK)
    for first in range(0, WORDS, _KEPT):
        bits = seen_as(load(words, first, _KEPT), uint32)
        for at in range(start + first * 64, start + (first + _KEPT) * 64, BLOCK):
            # a product: of a selection LLVM would make stores under a mask, which are slow
            factors = as_elements_of(tiles, to_floats(highest_bit(bits)))
            store(tiles, at, product_plus(factors, load(tiles, at, BLOCK), one))
            bits = add(bits, bits)
