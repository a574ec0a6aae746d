"""How a layer is regularized, in one value: from a study's parameters to the layer itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pernodedrop.laws import CustomStir, check_drop_rate
from pernodedrop.names import REGULARIZERS, MaskMode
from pernodedrop.near import did_you_mean
from pernodedrop.rates import as_number


@dataclass(frozen=True)
class Regularization:
    """A regularizer and its settings. A regularizer without a stir type, mask mode, ... ignores these.

    Raises:
        ValueError: an unknown regularizer or option, a drop rate outside [0, 1) or another batch_dim. A regularizer
            checks its own settings itself.
    """

    regularizer: str = "pernodedrop"
    drop_rate: float = 0.5  # in [0, 1)
    stir_type: str | CustomStir = "bernoulli"
    mask_mode: MaskMode = "dynamic"
    noisy_fraction: float = 1.0  # in [0, 1]
    share_time: bool | float = True  # PerNodeDrop: one mask for all positions of a sample, or how slowly it changes
    backend: str = "auto"
    batch_dim: int | None = None  # of the samples in (B, T, I): 0 or 1; None: as torch's modules around tell, or 0
    options: Mapping[str, float | str] = field(default_factory=dict, hash=False)  # of the regularizer; see its class

    def __post_init__(self) -> None:
        REGULARIZERS.check(self.regularizer)
        check_drop_rate(self.drop_rate)
        object.__setattr__(self, "drop_rate", as_number(self.drop_rate))
        if self.share_time in (0, 1):
            object.__setattr__(self, "share_time", bool(self.share_time))
        if self.batch_dim not in (None, 0, 1):
            raise ValueError(f"batch_dim must be 0, 1 or None, got {self.batch_dim!r}")
        known = REGULARIZERS[self.regularizer].options if self.options else ()
        for name in self.options:
            if name not in known:
                remedy = did_you_mean(name, known, f"it has {', '.join(known) or 'none'}")
                raise ValueError(f"{name!r} is no option of {self.regularizer}: {remedy}")
