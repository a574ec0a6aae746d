"""What the layers with a mask for every sample and unit have in common."""

from dataclasses import replace

from pernodedrop.laws import Law
from pernodedrop.layers.noisy import Noisy


class Stirred(Noisy):
    """A layer whose connections are stirred by a law, at a rate that may be set between two steps."""

    stir: Law

    @property
    def drop_rate(self) -> float:
        """The drop rate of the next mask, in [0, 1).

        Raises:
            ValueError: it is set outside [0, 1), or the mask was drawn once and stays.
        """
        return self.stir.drop_rate

    @drop_rate.setter
    def drop_rate(self, rate: float) -> None:
        if getattr(self, "mask", None) is not None:
            raise ValueError(f"mask_mode 'fixed' draws its masks once: its drop rate must stay, got {rate}")
        self.stir = replace(self.stir, drop_rate=rate)
