"""What the kernels draw for a connection, its probability as a few random bits can realize it."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

_PRECISION = 12  # significant bits of the rarer outcome: its rate is met within 2^-13 of itself
_MAX_BITS = 32


class Factors(NamedTuple):
    """Independent factors m = r, or m = r n where `normal`, with r ~ Bernoulli(keep / 2^bits) and n ~ N(0, 1).

    bits = 0 stands for r = 1.
    """

    keep: int
    bits: int
    normal: bool = False

    @property
    def probability(self) -> float:
        """The probability that r is 1, in (0, 1]."""
        return self.keep / 2.0**self.bits if self.bits else 1.0

    def as_tensor(self) -> Tensor:
        """The three numbers as the operators take them, int64 (3,) on the CPU."""
        return torch.tensor([self.keep, self.bits, int(self.normal)], device="cpu")

    @classmethod
    def from_tensor(cls, numbers: Tensor) -> "Factors":
        """The factors of which `as_tensor` gave these numbers."""
        keep, bits, normal = numbers.tolist()
        return cls(keep, bits, bool(normal))


def quantized(probability: float, *, normal: bool = False) -> Factors:
    """Factors of the nearest probability in (0, 1] that at most 32 random bits realize, in as few bits as it takes."""
    if probability >= 1.0:
        return Factors(1, 0, normal)
    rarer = max(min(probability, 1.0 - probability), 2.0**-_MAX_BITS)
    bits = min(_PRECISION + math.ceil(-math.log2(rarer)), _MAX_BITS)
    keep = min(max(round(probability * 2**bits), 1), 2**bits - 1)
    while keep % 2 == 0:
        keep //= 2
        bits -= 1
    return Factors(keep, bits, normal)
