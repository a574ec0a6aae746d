"""The known parameters and the values each may take."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Any

from pernodedrop.names import LAWS, MASK_MODES, REGULARIZERS
from pernodedrop.near import hint
from search_spaces.problems import listed, shown

OPTIMIZERS = ("adam", "adamw", "sgd", "nesterov")
LEARNING_RATE_SCHEDULES = ("constant", "cosine", "one_cycle", "step", "snapshot")
DROP_RATE_SCHEDULES = ("constant", "linear_up", "linear_down", "curriculum", "annealed", "early", "late")
AUGMENTATIONS = ("none", "flip_crop")
ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid", "identity")


@dataclass(frozen=True)
class OneOf:
    """A name from a list."""

    names: Collection[str]
    types = ("categorical",)

    def refusal(self, value: Any) -> str | None:
        """Return what is wrong with the value, as "must be ..., got ...", or None."""
        if isinstance(value, str) and value in self.names:
            return None
        return f"must be {listed(self.names)}, got {shown(value)}{hint(value, self.names)}"


@dataclass(frozen=True)
class Within:
    """A finite number between bounds."""

    above: float = -inf  # exclusive
    least: float = -inf
    below: float = inf  # exclusive
    most: float = inf
    types = ("float", "int", "categorical")

    def refusal(self, value: Any) -> str | None:
        """Return what is wrong with the value, as "must be ..., got ...", or None."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, got {shown(value)}{text_hint(value, self)}"
        rules = (
            (value > self.above, f"above {self.above:g}"),
            (value >= self.least, f"at least {self.least:g}"),
            (value < self.below, f"below {self.below:g}"),
            (value <= self.most, f"at most {self.most:g}"),
        )
        broken = next((rule for holds, rule in rules if not holds), None)
        return None if broken is None else f"must be {broken}, got {shown(value)}"


@dataclass(frozen=True)
class WholeWithin:
    """A whole number between bounds, both included."""

    least: int
    most: int
    types = ("int", "categorical")

    def refusal(self, value: Any) -> str | None:
        """Return what is wrong with the value, as "must be ..., got ...", or None."""
        if isinstance(value, bool) or not isinstance(value, int):
            return f"must be a whole number, got {shown(value)}{text_hint(value, self)}"
        if self.least <= value <= self.most:
            return None
        bound = f"at least {self.least}" if value < self.least else f"at most {self.most}"
        return f"must be {bound}, got {value}"


@dataclass(frozen=True)
class AnyValue:
    """Whatever a rule of its own takes."""

    types = ("categorical",)

    def refusal(self, value: Any) -> str | None:
        """Return None."""
        return None


def text_hint(value: Any, domain: "Within | WholeWithin") -> str:
    """Return the remedy where another way of writing the number would be taken: text in quotes, or 64.0 for 64."""
    try:
        number = float(value) if isinstance(value, str | float) else nan
    except ValueError:
        return ""
    meant = int(number) if isfinite(number) and number.is_integer() else number
    if not isfinite(number) or meant is value or domain.refusal(meant) is not None:
        return ""
    return f" (that is text: write {meant} without quotes)" if isinstance(value, str) else f" (write {meant})"


Domain = OneOf | Within | WholeWithin | AnyValue

PARAMETERS: Mapping[str, Domain] = {
    "regularizer": OneOf(REGULARIZERS.keys()),
    "stir_type": OneOf(LAWS.keys()),
    "mask_mode": OneOf(MASK_MODES),
    "drop_rate": Within(least=0, below=1),
    "noisy_fraction": Within(least=0, most=1),
    "units": WholeWithin(1, 65_536),
    "activation": OneOf(ACTIVATIONS),
    "learning_rate": Within(above=0),
    "batch_size": WholeWithin(1, 1_048_576),
    "optimizer": OneOf(OPTIMIZERS),
    "momentum": Within(least=0, below=1),
    "weight_decay": Within(least=0),
    "weight_decay_on": OneOf(("weights", "all")),
    "learning_rate_schedule": OneOf(LEARNING_RATE_SCHEDULES),
    "warmup": Within(least=0, below=1),
    "learning_rate_cycles": WholeWithin(1, 1_000),
    "gradient_clip": Within(least=0),
    "label_smoothing": Within(least=0, below=1),
    "augmentation": OneOf(AUGMENTATIONS),
    "drop_rate_schedule": OneOf(DROP_RATE_SCHEDULES),
    "drop_rate_share": Within(above=0, most=1),
    "mask_noise_pairs": WholeWithin(0, 10_000),
    "masked_loss_draws": WholeWithin(0, 10_000),
    "curvature_every": WholeWithin(0, 1_000_000),
    "curvature_samples": WholeWithin(2, 1_048_576),
    "curvature_vectors": WholeWithin(2, 10_000),
}

# The figures that a training has only where a parameter asks for them.
MEASURED: Mapping[str, str] = {
    "train_mask_noise": "mask_noise_pairs",
    "train_masked_loss": "masked_loss_draws",
    "train_hessian_trace": "curvature_every",
    "train_hessian_trace_error": "curvature_every",
    "train_hessian_top": "curvature_every",
    "train_hessian_top_residual": "curvature_every",
    "train_hessian_bottom": "curvature_every",
    "train_hessian_bottom_residual": "curvature_every",
    "train_weighted_hessian": "curvature_every",
    "train_weighted_hessian_error": "curvature_every",
    "train_gradient_noise": "curvature_every",
    "train_mean_gradient_square": "curvature_every",
}


@dataclass(frozen=True)
class Option:
    """A setting that some regularizers have; an own task may have a parameter of the same name for itself.

    Trials with different values of an option with a `label` are of different variants: "{}" stands for the value.
    """

    domain: Domain
    of: frozenset[str]  # regularizers
    label: str = ""


# The drop rates of regularizers that cannot have all of them, as their classes check; None: it has none.
RATES: Mapping[str, Within | None] = {
    "none": None,
    "standout": None,
    "ninr": None,
    "sparse_variational_dropout": None,
    "gradient_noise": None,
    "masksembles": Within(least=0, most=5 / 6),  # a scale 1 / (1 - p) of at most 6
    "variational_dropout": Within(above=0, most=0.5),  # alpha = p / (1 - p) of at most 1
    "concrete_dropout": Within(above=0, below=1),
}

# The class of a regularizer has the defaults, in its `options`.
OPTIONS: Mapping[str, Option] = {
    "noise": Option(
        OneOf(("dropout", "gaussian_dropout", "dropconnect", "pernodedrop")),
        frozenset({"r_drop", "explicit", "implicit", "explicit_implicit", "averaged"}),
        "{}",
    ),
    "mask_groups": Option(WholeWithin(1, 1_048_576), frozenset({"pernodedrop"}), "groups{}"),
    "alpha": Option(Within(least=0), frozenset({"r_drop", "standout"})),
    "beta": Option(Within(), frozenset({"standout"})),
    "c": Option(Within(least=0), frozenset({"shakeout"})),
    "sigma": Option(Within(least=0), frozenset({"ninr"})),
    "initial_scale": Option(Within(least=0), frozenset({"ninr"})),
    "tenure": Option(WholeWithin(1, 1_000_000), frozenset({"tabu"})),
    "alpha_per": Option(OneOf(("layer", "unit", "weight")), frozenset({"variational_dropout"}), "{}"),
    "initial_log_variance": Option(Within(), frozenset({"sparse_variational_dropout"})),
    "kl_warmup": Option(Within(least=0, most=1), frozenset({"sparse_variational_dropout"})),
    "temperature": Option(Within(above=0), frozenset({"concrete_dropout"})),
    "length_scale": Option(Within(least=0), frozenset({"concrete_dropout"})),
    "tau": Option(Within(above=0), frozenset({"concrete_dropout"})),
    "form": Option(OneOf(("label", "jvp")), frozenset({"explicit", "explicit_implicit"}), "{}"),
    "masks": Option(WholeWithin(1, 256), frozenset({"averaged"}), "k{}"),
    "added_noise": Option(
        OneOf(("none", "masks", "shared_masks", "isotropic", "approximate")), frozenset({"averaged"}), "added_{}"
    ),
    "layout": Option(OneOf(("maps", "sequence", "signal")), frozenset({"spatial_dropout"})),
    "block_size": Option(WholeWithin(1, 65_536), frozenset({"drop_block", "block_dropout"})),
    "mode": Option(OneOf(("row", "batch", "original")), frozenset({"stochastic_depth"}), "{}"),
    "z_cell": Option(Within(least=0, below=1), frozenset({"zoneout"})),
    "eta": Option(Within(least=0), frozenset({"gradient_noise"})),
    "time_correlation": Option(Within(least=-1, most=1), frozenset({"pernodedrop"})),
}
