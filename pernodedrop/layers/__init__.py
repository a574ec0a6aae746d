"""One module a file: thin state around a pure function of `pernodedrop.functional`.

What a layer says about how it runs is one of the protocols here; a layer of another distribution may say it too.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class ChoosesBackend(Protocol):
    """A layer that chooses how it computes."""

    backend_used: str | None  # of the last training forward; None before it, and where the layer is dense


@runtime_checkable
class HasGradientNoise(Protocol):
    """A layer that knows how much of its masks' gradient noise it has as it computes."""

    @property
    def gradient_noise(self) -> str | None:
        """One of `backends.base.GradientNoise`, of the last training forward; None where no noise was drawn."""


@runtime_checkable
class RoundsDropRate(Protocol):
    """A layer whose masks drop another share of the features than it was asked for."""

    effective_drop_rate: float  # in [0, 1)
