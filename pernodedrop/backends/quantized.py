"""Probabilities as a few random bits can realize them."""

import math
from typing import NamedTuple

_PRECISION = 12  # significant bits of the rarer outcome: its rate is met within 2^-13 of itself
_MAX_BITS = 32


class Quantized(NamedTuple):
    """The probability numerator / 2^bits; bits = 0 stands for 1."""

    numerator: int
    bits: int

    @property
    def value(self) -> float:
        return self.numerator / 2.0**self.bits if self.bits else 1.0


def quantized(probability: float) -> Quantized:
    """The nearest probability in (0, 1] that at most 32 random bits realize, in as few bits as it takes."""
    if probability >= 1.0:
        return Quantized(1, 0)
    rarer = max(min(probability, 1.0 - probability), 2.0**-_MAX_BITS)
    bits = min(_PRECISION + math.ceil(-math.log2(rarer)), _MAX_BITS)
    numerator = min(max(round(probability * 2**bits), 1), 2**bits - 1)
    while numerator % 2 == 0:
        numerator //= 2
        bits -= 1
    return Quantized(numerator, bits)
