"""What the layers with a mask for every sample and unit have in common."""

from dataclasses import replace

from pernodedrop.backends.base import GradientNoise
from pernodedrop.backends.choice import BACKENDS
from pernodedrop.laws import Law
from pernodedrop.layers.noisy import Noisy
from pernodedrop.processes import checked_share


class Stirred(Noisy):
    """A layer whose connections are stirred by a law, at a rate that may be set between two steps."""

    stir: Law
    backend_used: str | None
    share_time: bool | float = True
    mask_groups: int | None = None  # of the batch, the samples of each with one mask; None: each sample its own

    @property
    def gradient_noise(self) -> GradientNoise | None:
        """The gradient's noise by the backend that ran last, beside the masks' own; None where no mask was drawn."""
        if self.backend_used is None or getattr(self, "mask", None) is not None:
            return None
        return BACKENDS[self.backend_used].gradient_noise

    @property
    def drop_rate(self) -> float:
        """The drop rate of the next mask, in [0, 1).

        Raises:
            ValueError: it is set outside [0, 1) or where the law has no such `share_time`, or the mask was drawn once
                and stays.
        """
        return self.stir.drop_rate

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        if getattr(self, "mask", None) is not None:
            raise ValueError(f"mask_mode 'fixed' draws its masks once: its drop rate must stay, got {rate}")
        stir = replace(self.stir, drop_rate=rate)
        checked_share(self.share_time, stir)
        self.stir = stir
