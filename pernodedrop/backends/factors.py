"""What the kernels draw for a connection, its probability as a few random bits can realize it."""

import math
import struct
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

_PRECISION = 12  # significant bits of the rarer outcome: its rate is met within 2^-13 of itself
_MAX_BITS = 32


class Factors(NamedTuple):
    """Independent factors m = r, or m = 1 + sigma r n where sigma > 0, with r ~ Bernoulli(keep / 2^bits), n ~ N(0, 1).

    bits = 0 stands for r = 1.
    """

    keep: int
    bits: int
    sigma: float = 0.0

    @property
    def is_normal(self) -> bool:
        """Whether they are normal numbers, once r is known."""
        return self.sigma > 0.0

    @property
    def probability(self) -> float:
        """The probability that r is 1, in (0, 1]."""
        return self.keep / 2.0**self.bits if self.bits else 1.0

    def as_tensor(self) -> Tensor:
        """The three numbers as the operators take them, int64 (3,) on the CPU: of sigma the bits."""
        (sigma,) = struct.unpack("<q", struct.pack("<d", self.sigma))
        return torch.tensor([self.keep, self.bits, sigma], device="cpu")

    @classmethod
    def from_tensor(cls, numbers: Tensor) -> "Factors":
        """The factors of which `as_tensor` gave these numbers."""
        keep, bits, sigma = numbers.tolist()
        return cls(keep, bits, *struct.unpack("<d", struct.pack("<q", sigma)))


class Chain(NamedTuple):
    """Factors r that change over a sample's rows, `rows` of which meet one factor.

    The first is Bernoulli(keep / 2^bits). The next is, with probability copies / 2^copy_bits, the one before or, where
    `alternates`, its complement; else it is drawn anew from Bernoulli(fresh / 2^fresh_bits). bits = 0 stands for
    certainty. The first is of the process's stationary law, exactly or within 2^-33.
    """

    keep: int
    bits: int
    copies: int
    copy_bits: int
    fresh: int
    fresh_bits: int
    alternates: bool
    rows: int

    @property
    def probability(self) -> float:
        """The probability that r is 1, at every position."""
        return Factors(self.keep, self.bits).probability

    def as_tensor(self) -> Tensor:
        """The numbers as the operators take them, int64 (8,) on the CPU."""
        return torch.tensor([int(number) for number in self], device="cpu")

    @classmethod
    def from_tensor(cls, numbers: Tensor) -> "Chain":
        """The chain of which `as_tensor` gave these numbers."""
        keep, bits, copies, copy_bits, fresh, fresh_bits, alternates, rows = numbers.tolist()
        return cls(keep, bits, copies, copy_bits, fresh, fresh_bits, bool(alternates), rows)


def from_tensor(numbers: Tensor) -> Factors | Chain:
    """The factors or the chain of which `as_tensor` gave these numbers."""
    return (Factors if numbers.numel() == len(Factors._fields) else Chain).from_tensor(numbers)


def chained(probability: float, correlation: float, rows: int) -> Chain:
    """The chain of 0 and 1 with this mean and correlation, in few random bits a position.

    For rho < 0: complement with probability r = -rho, else draw from u with keep = (r + (1 - r) u) / (1 + r), which
    lies in [0, 1] for exactly the correlations that two states have.
    """
    copies = quantized(abs(correlation))
    if correlation > 0.0:
        fresh = first = quantized(probability)
    else:
        r = copies.probability
        u = min(max((probability * (1.0 + r) - r) / (1.0 - r), 0.0), 1.0) if r < 1.0 else 1.0
        fresh = quantized(u) if u > 0.0 else Factors(0, 1)
        first = _fraction((r + (1.0 - r) * fresh.probability) / (1.0 + r), _MAX_BITS)
    return Chain(*first[:2], *copies[:2], *fresh[:2], correlation < 0.0, rows)


@lru_cache(maxsize=256)
def quantized(probability: float, *, sigma: float = 0.0) -> Factors:
    """Factors of the nearest probability in (0, 1] that at most 32 random bits realize, in as few bits as it takes."""
    if probability >= 1.0:
        return Factors(1, 0, sigma)
    rarer = max(min(probability, 1.0 - probability), 2.0**-_MAX_BITS)
    return _fraction(probability, min(_PRECISION + math.ceil(-math.log2(rarer)), _MAX_BITS), sigma=sigma)


def _fraction(probability: float, bits: int, *, sigma: float = 0.0) -> Factors:
    keep = min(max(round(probability * 2**bits), 1), 2**bits - 1)
    while keep % 2 == 0:
        keep //= 2
        bits -= 1
    return Factors(keep, bits, sigma)
