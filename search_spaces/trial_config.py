"""The settings of one trial, typed."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

from pernodedrop.names import MaskMode
from search_spaces.dimensions import Value
from search_spaces.parameters import OPTIONS, PARAMETERS


@dataclass(frozen=True, repr=False)
class TrialConfig:
    """The settings that a task builds and trains a model from, with a default for what a study leaves open.

    Raises ValueError when a known parameter is outside its domain. `from_params` reads what a study has chosen, whose
    rules judged it when the study was accepted, and raises nothing.
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
    # Parameters of an own task, options of the regularizer, and chosen parameters of the recipe below: own tasks had
    # parameters of these names before there was a recipe.
    extra: Mapping[str, Value] = field(default_factory=dict, hash=False)

    # The recipe of the training. Its defaults are what every training did before, so that old studies stay the same.
    _: KW_ONLY
    optimizer: str = "adam"
    momentum: float = 0.9  # in [0, 1); sgd and nesterov only
    weight_decay: float = 0.0
    weight_decay_on: str = "weights"  # matrices and filters; "all" adds biases and normalizations
    learning_rate_schedule: str = "constant"
    warmup: float = 0.0  # share of the steps, in [0, 1), in which the learning rate rises from 0
    learning_rate_cycles: int = 5  # of the schedule snapshot only
    gradient_clip: float = 0.0  # the largest norm of a gradient that is left as it is; 0 is no limit
    label_smoothing: float = 0.0  # in [0, 1)
    augmentation: str = "none"
    drop_rate_schedule: str = "constant"
    drop_rate_share: float = 0.5  # of the steps, in (0, 1]; annealed, early and late only
    # Measured at the end of every epoch; 0 measures nothing.
    mask_noise_pairs: int = 0  # pairs of passes for train_mask_noise
    masked_loss_draws: int = 0  # draws of every sample's noise for train_masked_loss
    # Measured after every so many epochs and after the last; 0 measures nothing.
    curvature_every: int = 0
    curvature_samples: int = 512  # of the training split, at the most
    curvature_vectors: int = 20  # of random signs, and steps for train_gradient_noise

    def __post_init__(self) -> None:
        for name, domain in PARAMETERS.items():
            refusal = domain.refusal(getattr(self, name))
            if refusal is not None:
                raise ValueError(f"{name} {refusal}")
        chosen = {name: getattr(self, name) for name, default in RECIPE.items() if getattr(self, name) != default}
        object.__setattr__(self, "extra", {**chosen, **self.extra})

    def __repr__(self) -> str:
        """The text that identifies a checkpoint's settings; the recipe's defaults are left out, as they used to be."""
        known = {name: value for name, value in self._known().items() if name not in RECIPE or value != RECIPE[name]}
        texts = [f"{name}={value!r}" for name, value in {**known, "extra": self.extra}.items()]
        return f"TrialConfig({', '.join(texts)})"

    @classmethod
    def from_params(cls, params: Mapping[str, Value]) -> "TrialConfig":
        """Return the settings in flat parameters; names unknown here go to `extra`.

        A value that the recipe does not accept belongs to an own task.
        """
        known: dict[str, Any] = {
            name: value
            for name, value in params.items()
            if name in PARAMETERS and not (name in RECIPE and PARAMETERS[name].refusal(value))
        }
        extra = {name: value for name, value in params.items() if name not in PARAMETERS or name in RECIPE}
        config = cls()
        for name, value in {**known, "extra": extra}.items():
            object.__setattr__(config, name, value)
        return config

    def as_params(self) -> dict[str, Value]:
        """The flat parameters, such that `TrialConfig.from_params(config.as_params()) == config`."""
        known = {name: value for name, value in self._known().items() if name not in RECIPE}
        return known | dict(self.extra)

    def _known(self) -> dict[str, Value]:
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name in PARAMETERS}

    @property
    def variant(self) -> str:
        """The row of a results table to which the trial belongs."""
        return variant_of(self.as_params())


# The defaults of the parameters that say how a model is trained.
RECIPE: Mapping[str, Any] = {each.name: each.default for each in fields(TrialConfig) if each.kw_only}


def variant_of(params: Mapping[str, Any], telling: Iterable[str] = ()) -> str:
    """The regularizer, for pernodedrop with its stir type and mask mode, and the options that tell variants apart.

    For example "pernodedrop-gaussian-fixed". Parameters of the recipe in `telling` tell variants apart as well, where
    they have another value than their default: "dropout-linear_up" (see `search_spaces.variants.telling_in`).
    """
    regularizer = str(params.get("regularizer", TrialConfig.regularizer))
    parts = [regularizer]
    if regularizer == "pernodedrop":
        parts += [str(params.get(name, getattr(TrialConfig, name))) for name in ("stir_type", "mask_mode")]
    options = ((name, option) for name, option in OPTIONS.items() if option.label and regularizer in option.of)
    parts += [option.label.format(params[name]) for name, option in options if name in params]
    if regularizer != "none":
        parts += [str(params[name]) for name in telling if params.get(name, RECIPE[name]) != RECIPE[name]]
    return "-".join(parts)
