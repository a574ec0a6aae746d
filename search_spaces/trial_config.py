"""The settings of one trial, typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pernodedrop.names import MaskMode
from search_spaces.dimensions import Value
from search_spaces.parameters import PARAMETERS


@dataclass(frozen=True)
class TrialConfig:
    """What a task builds and trains a model from; a parameter that a study leaves open has its default here.

    Raises ValueError when a known parameter is outside its domain.
    """

    regularizer: str = "none"
    stir_type: str = "bernoulli"  # pernodedrop only
    mask_mode: MaskMode = "dynamic"  # pernodedrop only
    drop_rate: float = 0.5  # in [0, 1)
    noisy_fraction: float = 1.0  # in [0, 1]; partial_gaussian only
    units: int = 64  # width of the regularized layer
    activation: str = "relu"
    learning_rate: float = 0.001
    batch_size: int = 128
    extra: Mapping[str, Value] = field(default_factory=dict, hash=False)  # parameters of an own task

    def __post_init__(self) -> None:
        for name, domain in PARAMETERS.items():
            refusal = domain.refusal(getattr(self, name))
            if refusal is not None:
                raise ValueError(f"{name} {refusal}")

    @classmethod
    def from_params(cls, params: Mapping[str, Value]) -> "TrialConfig":
        """From flat parameters; names unknown here go to `extra`."""
        known: dict[str, Any] = {name: value for name, value in params.items() if name in PARAMETERS}
        extra = {name: value for name, value in params.items() if name not in PARAMETERS}
        return cls(**known, extra=extra)

    def as_params(self) -> dict[str, Value]:
        """The flat parameters, such that `TrialConfig.from_params(config.as_params()) == config`."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.name in PARAMETERS}
        return known | dict(self.extra)

    @property
    def variant(self) -> str:
        """The row of a results table that the trial belongs to."""
        return variant_of(self.as_params())


def variant_of(params: Mapping[str, Any]) -> str:
    """The regularizer, and for pernodedrop its stir type and mask mode: "pernodedrop-gaussian-fixed"."""
    regularizer = str(params.get("regularizer", TrialConfig.regularizer))
    if regularizer != "pernodedrop":
        return regularizer
    stir_type = params.get("stir_type", TrialConfig.stir_type)
    return f"{regularizer}-{stir_type}-{params.get('mask_mode', TrialConfig.mask_mode)}"
