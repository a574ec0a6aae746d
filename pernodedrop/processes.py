"""How a connection's factor goes on from one position of a sequence to the next, its law being the same at each.

With the correlation rho of neighbouring positions, Cov(m_t, m_t') = Var[m] rho^|t - t'|. rho = 0 draws anew at every
position, and rho = 1 shares one mask over all of them: a layer's `share_time` is rho.
"""

import abc
import math
from collections.abc import Iterator, Sequence
from typing import Protocol, TypedDict, Unpack, cast

import torch
from torch import Tensor

from pernodedrop import draws

_SLACK = 1e-9  # a bound such as -2/3 is met by the number that is written for it


class How(TypedDict):
    """How a tensor is drawn, as `laws.Law.draw` takes it."""

    generator: torch.Generator | None
    dtype: torch.dtype
    device: torch.device


class _Law(Protocol):
    """What a process needs to know of a law."""

    @property
    def name(self) -> str: ...

    @property
    def drop_rate(self) -> float: ...

    @property
    def is_dense(self) -> bool: ...

    @property
    def process(self) -> "Process": ...

    def draw(self, shape: Sequence[int], **how: Unpack[How]) -> Tensor: ...


class _Partial(_Law, Protocol):
    @property
    def noisy_fraction(self) -> float: ...


class Process(abc.ABC):
    """A stationary process of factors. A law names one as its `process`."""

    includes_least = True

    def least(self, law: _Law) -> float:
        """The lowest correlation of neighbouring positions that the process has under this law."""
        return 0.0

    @abc.abstractmethod
    def factors(self, law: _Law, shape: Sequence[int], correlation: float, **how: Unpack[How]) -> Iterator[Tensor]:
        """Factors of the given shape for one position after the other, without end; independent within a shape."""


class CopyOrRefresh(Process):
    """m_t is m_(t-1) with probability rho, else drawn anew: for any law, with rho >= 0."""

    def factors(self, law: _Law, shape: Sequence[int], correlation: float, **how: Unpack[How]) -> Iterator[Tensor]:
        now = law.draw(shape, **how)
        while True:
            yield now
            copied = draws.uniform(shape, how["generator"], device=how["device"]) < correlation
            now = torch.where(copied, now, law.draw(shape, **how))


class TwoStates(CopyOrRefresh):
    """Of factors r / keep: P(1 -> 1) = keep + rho p, P(0 -> 1) = keep (1 - rho).

    For rho >= 0 that is the copy, or the fresh draw. Runs are on average 1 / (p (1 - rho)) positions long where a
    connection is kept, and 1 / (keep (1 - rho)) where it is dropped.
    """

    def least(self, law: _Law) -> float:
        odds = law.drop_rate / (1.0 - law.drop_rate)
        return -min(odds, 1.0 / odds) if odds else 0.0

    def factors(self, law: _Law, shape: Sequence[int], correlation: float, **how: Unpack[How]) -> Iterator[Tensor]:
        if correlation >= 0.0:
            yield from super().factors(law, shape, correlation, **how)
        keep = 1.0 - law.drop_rate
        now = law.draw(shape, **how)
        while True:
            yield now
            kept = torch.where(now > 0, keep + correlation * law.drop_rate, keep * (1.0 - correlation))
            now = (draws.uniform(shape, how["generator"], device=how["device"]) < kept).to(now.dtype) / keep


class Autoregressive(Process):
    """m_t = 1 + s e_t with e_t = rho e_(t-1) + sqrt(1 - rho^2) n_t and e_0 ~ N(0, 1), for rho in (-1, 1)."""

    includes_least = False

    def least(self, law: _Law) -> float:
        return -1.0

    def factors(self, law: _Law, shape: Sequence[int], correlation: float, **how: Unpack[How]) -> Iterator[Tensor]:
        deviation = self._deviation(law, shape, **how)
        fresh = math.sqrt(1.0 - correlation**2)
        now = draws.normal(shape, **how)
        while True:
            yield 1.0 + now * deviation
            now = correlation * now + fresh * draws.normal(shape, **how)

    def _deviation(self, law: _Law, shape: Sequence[int], **how: Unpack[How]) -> float | Tensor:
        return math.sqrt(law.drop_rate / (1.0 - law.drop_rate))


class HeldChoice(Autoregressive):
    """m_t = 1 + z s e_t, where the choice z ~ Bernoulli(`noisy_fraction`) is held over the sequence."""

    def _deviation(self, law: _Law, shape: Sequence[int], **how: Unpack[How]) -> Tensor:
        fraction = cast(_Partial, law).noisy_fraction
        chosen = draws.uniform(shape, how["generator"], device=how["device"]) < fraction
        return super()._deviation(law, shape, **how) * chosen.to(how["dtype"])


COPY_OR_REFRESH, TWO_STATES = CopyOrRefresh(), TwoStates()
AUTOREGRESSIVE, HELD_CHOICE = Autoregressive(), HeldChoice()


def factors_over_time(law: _Law, shape: Sequence[int], correlation: float, **how: Unpack[How]) -> Iterator[Tensor]:
    """Factors of the given shape for one position after the other, without end; real numbers in a complex type too."""
    dtype = how["dtype"]
    real: How = {**how, "dtype": dtype.to_real() if dtype.is_complex else dtype}
    return (factors.to(dtype) for factors in law.process.factors(law, shape, correlation, **real))


def checked_share(share_time: object, law: _Law) -> bool | float:
    """`share_time` as True, False or a correlation strictly between -1 and 1 that is not 0.

    Raises:
        ValueError: it is no number in [-1, 1], or the law has no such process.
    """
    if isinstance(share_time, bool):
        return share_time
    if not isinstance(share_time, int | float) or not -1.0 <= share_time <= 1.0:
        raise ValueError(
            "share_time must be True, False or a number in [-1, 1], the correlation of the masks of neighbouring "
            f"positions, got {share_time!r}"
        )
    if share_time in (0, 1):
        return bool(share_time)
    process = law.process
    least = process.least(law)
    fits = share_time >= least - _SLACK if process.includes_least else share_time > least
    if not fits and not law.is_dense:
        bound = f"{'at least' if process.includes_least else 'above'} {least:.4g}"
        lower = least > -1.0 and "take stir_type 'gaussian', which has any above -1, or "
        raise ValueError(
            f"share_time must be {bound} for stir_type {law.name!r} at drop_rate {law.drop_rate:g}, "
            f"got {share_time:g}: {lower or ''}raise it (a study calls it time_correlation)"
        )
    return float(share_time)
