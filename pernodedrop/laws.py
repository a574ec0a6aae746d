"""The law of the multiplicative noise on one connection: its variance, a draw of it, and how a kernel computes it.

A law is one class. A backend asks it, and refuses what the law does not offer.
"""

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from pernodedrop import draws
from pernodedrop.compiling import constant
from pernodedrop.custom_stir import CustomStir as CustomStir  # noqa: PLC0414 - others import it from here
from pernodedrop.custom_stir import check_mean as check_mean  # noqa: PLC0414
from pernodedrop.generators import in_this_pass
from pernodedrop.names import LAWS
from pernodedrop.processes import AUTOREGRESSIVE, COPY_OR_REFRESH, HELD_CHOICE, TWO_STATES, Process
from pernodedrop.rates import as_number
from pernodedrop.rates import check_drop_rate as check_drop_rate  # noqa: PLC0414
from pernodedrop.rates import check_fraction as check_fraction  # noqa: PLC0414


class Lowering(NamedTuple):
    """A factor m in the two forms that kernels draw, with r ~ Bernoulli(`probability`) and n ~ N(0, `variance`).

    m = r / probability where `variance` is None, else m = 1 + r n. `probability` None stands for r = 1, undrawn.
    """

    probability: float | None
    variance: float | None = None

    @property
    def is_gaussian(self) -> bool:
        """Return whether m is Gaussian once r is known."""
        return self.variance is not None


@dataclass(frozen=True)
class Law(abc.ABC):
    """The law of an independent factor m with mean 1 on every connection.

    A subclass has a `name`, under which `pernodedrop.names.LAWS` lists it, and defines the abstract members. Its fields
    are its settings. The reference backend needs no more; the kernels need `lowering`.

    Raises:
        ValueError: the drop rate p lies outside [0, 1).
    """

    name: ClassVar[str]

    drop_rate: float = 0.5

    def __post_init__(self) -> None:
        check_drop_rate(self.drop_rate)
        object.__setattr__(self, "drop_rate", as_number(self.drop_rate))

    @classmethod
    def of(cls, drop_rate: float, noisy_fraction: float) -> "Law":
        """The law at a layer's settings; a law without a noisy fraction ignores it."""
        return cls(drop_rate)

    @property
    @abc.abstractmethod
    def variance(self) -> float:
        """Var[m], without unit; nan where it is unknown. 0 says that m is exactly 1."""

    @property
    @abc.abstractmethod
    def is_symmetric(self) -> bool:
        """Return whether m - 1 and 1 - m have the same law."""

    @property
    def process(self) -> Process:
        """How factors go on from position to position, where masks change slowly over time."""
        return COPY_OR_REFRESH

    @abc.abstractmethod
    def sample(
        self,
        shape: Sequence[int],
        *,
        generator: torch.Generator | None,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        """Independent factors of the given shape; `draw` calls this where m is not exactly 1."""

    def lowering(self) -> Lowering | None:
        """Return how a kernel draws the factor; None: no kernel can, and masks are drawn by `sample`."""
        return None

    @property
    def is_dense(self) -> bool:
        """Return whether m is exactly 1."""
        return self.variance == 0.0

    def describe(self) -> str:
        """The law and its numbers, as a layer prints them."""
        numbers = {field.name: getattr(self, field.name) for field in fields(self) if field.type is float}
        said = {"drop_rate": self.drop_rate, "stir_type": self.name} | numbers
        return ", ".join(f"{name}={value}" for name, value in said.items())

    def draw(
        self,
        shape: Sequence[int],
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Independent factors of the given shape; real numbers in a complex type too."""
        dtype = dtype or torch.get_default_dtype()
        device = torch.device(device if device is not None else torch.get_default_device())
        if self.is_dense:
            return torch.ones(shape, dtype=dtype, device=device)
        if dtype.is_complex:
            return self.sample(shape, generator=generator, dtype=dtype.to_real(), device=device).to(dtype)
        return self.sample(shape, generator=generator, dtype=dtype, device=device)


@dataclass(frozen=True)
class Bernoulli(Law):
    """m = r / (1 - p), r ~ Bernoulli(1 - p)."""

    name = "bernoulli"

    @property
    def variance(self) -> float:
        return noise_variance(self.drop_rate)

    @property
    def is_symmetric(self) -> bool:
        return self.drop_rate == 0.5

    @property
    def process(self) -> Process:
        return TWO_STATES

    def sample(
        self, shape: Sequence[int], *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        kept = draws.uniform(shape, generator, device=device) >= self.drop_rate
        return kept.to(dtype) / (1.0 - self.drop_rate)

    def lowering(self) -> Lowering:
        return Lowering(1.0 - self.drop_rate)


@dataclass(frozen=True)
class Gaussian(Law):
    """m ~ N(1, p / (1 - p))."""

    name = "gaussian"

    @property
    def variance(self) -> float:
        return noise_variance(self.drop_rate)

    @property
    def is_symmetric(self) -> bool:
        return True

    @property
    def process(self) -> Process:
        return AUTOREGRESSIVE

    def sample(
        self, shape: Sequence[int], *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        noise = draws.normal(shape, generator, dtype=dtype, device=device)
        return 1.0 + noise * math.sqrt(noise_variance(self.drop_rate))

    def lowering(self) -> Lowering:
        return Lowering(None, noise_variance(self.drop_rate))


@dataclass(frozen=True)
class PartialGaussian(Law):
    """m = 1 + z n, z ~ Bernoulli(q), n ~ N(0, p / (1 - p)).

    Raises:
        ValueError: the drop rate p lies outside [0, 1), or the noisy fraction q outside [0, 1].
    """

    name = "partial_gaussian"

    noisy_fraction: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("noisy_fraction", self.noisy_fraction)
        object.__setattr__(self, "noisy_fraction", as_number(self.noisy_fraction))

    @classmethod
    def of(cls, drop_rate: float, noisy_fraction: float) -> "PartialGaussian":
        return cls(drop_rate, noisy_fraction)

    @property
    def variance(self) -> float:
        return self.noisy_fraction * noise_variance(self.drop_rate)

    @property
    def is_symmetric(self) -> bool:
        return True

    @property
    def process(self) -> Process:
        return HELD_CHOICE

    def sample(
        self, shape: Sequence[int], *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        noise = draws.normal(shape, generator, dtype=dtype, device=device)
        noise = noise * math.sqrt(noise_variance(self.drop_rate))
        return 1.0 + noise * (draws.uniform(shape, generator, device=device) < self.noisy_fraction)

    def lowering(self) -> Lowering:
        return Lowering(self.noisy_fraction, noise_variance(self.drop_rate))


@dataclass(frozen=True)
class Custom(Law):
    """The noise that a user's callable draws; its variance is unknown, and the drop rate only describes it."""

    name = "custom"

    call: CustomStir | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.call is None:
            raise ValueError("stir_type 'custom' names no noise: pass the callable that draws it")

    @property
    def variance(self) -> float:
        return math.nan

    @property
    def is_symmetric(self) -> bool:
        return False

    def sample(
        self, shape: Sequence[int], *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device
    ) -> Tensor:
        call = self.call
        assert call is not None
        if generator is None:
            return call(shape, generator=None, dtype=dtype, device=device)
        return in_this_pass(generator, lambda own: call(shape, generator=own, dtype=dtype, device=device))


def Stir(  # noqa: N802 - it stands for the class of the law that it returns
    drop_rate: float = 0.5, stir_type: str | CustomStir = "bernoulli", noisy_fraction: float = 1.0
) -> Law:
    """The law of a layer's settings: by its name in `LAWS`, or a user's callable.

    Raises:
        ValueError: the drop rate p lies outside [0, 1), the noisy fraction q outside [0, 1], or the name is unknown.
    """
    check_drop_rate(drop_rate)
    check_fraction("noisy_fraction", noisy_fraction)
    if not isinstance(stir_type, str):
        return Custom(drop_rate, stir_type)
    law: type[Law] = _law_named(stir_type)
    return law.of(drop_rate, noisy_fraction)


@constant
def _law_named(name: str) -> type[Law]:
    """The first use of a name imports its law, which `torch.compile` cannot trace."""
    law: type[Law] = LAWS.named(name)
    return law


def noise_variance(drop_rate: float) -> float:
    """p / (1 - p), the variance of an inverted Bernoulli(p) mask and of its Gaussian twin."""
    return drop_rate / (1.0 - drop_rate)
