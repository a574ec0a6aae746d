"""Stochastic regularization layers for PyTorch: PerNodeDrop and the dropout family.

Importing the package imports no torch: a name does so when it is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pernodedrop import expected_loss, functional
    from pernodedrop.holding import held_noise
    from pernodedrop.insertion import Regularized, regularize, regularized_linear
    from pernodedrop.laws import Law, Stir
    from pernodedrop.layers.dropblock import DropBlock2d
    from pernodedrop.layers.dropconnect import DropConnectLinear
    from pernodedrop.layers.gaussian_dropout import GaussianDropout
    from pernodedrop.layers.input_regularized import SharedNoiseLinear
    from pernodedrop.layers.masksembles import Masksembles
    from pernodedrop.layers.pernode_conv import PerNodeDropConv2d
    from pernodedrop.layers.pernode_linear import PerNodeDropLinear
    from pernodedrop.masksembles import ensemble_predict
    from pernodedrop.monte_carlo import mc_mode, mc_passes, mc_predict
    from pernodedrop.regularization import Regularization
    from pernodedrop.uncertainty import Uncertainty, joint_nll, pass_correlation, uncertainty_of, variance_of

_HOMES = {
    "DropBlock2d": "pernodedrop.layers.dropblock",
    "DropConnectLinear": "pernodedrop.layers.dropconnect",
    "GaussianDropout": "pernodedrop.layers.gaussian_dropout",
    "Law": "pernodedrop.laws",
    "Masksembles": "pernodedrop.layers.masksembles",
    "PerNodeDropConv2d": "pernodedrop.layers.pernode_conv",
    "PerNodeDropLinear": "pernodedrop.layers.pernode_linear",
    "Regularization": "pernodedrop.regularization",
    "Regularized": "pernodedrop.insertion",
    "SharedNoiseLinear": "pernodedrop.layers.input_regularized",
    "Stir": "pernodedrop.laws",
    "Uncertainty": "pernodedrop.uncertainty",
    "ensemble_predict": "pernodedrop.masksembles",
    "held_noise": "pernodedrop.holding",
    "joint_nll": "pernodedrop.uncertainty",
    "mc_mode": "pernodedrop.monte_carlo",
    "mc_passes": "pernodedrop.monte_carlo",
    "mc_predict": "pernodedrop.monte_carlo",
    "pass_correlation": "pernodedrop.uncertainty",
    "regularize": "pernodedrop.insertion",
    "regularized_linear": "pernodedrop.insertion",
    "uncertainty_of": "pernodedrop.uncertainty",
    "variance_of": "pernodedrop.uncertainty",
}

__all__ = [
    "DropBlock2d",
    "DropConnectLinear",
    "GaussianDropout",
    "Law",
    "Masksembles",
    "PerNodeDropConv2d",
    "PerNodeDropLinear",
    "Regularization",
    "Regularized",
    "SharedNoiseLinear",
    "Stir",
    "Uncertainty",
    "ensemble_predict",
    "expected_loss",
    "functional",
    "held_noise",
    "joint_nll",
    "mc_mode",
    "mc_passes",
    "mc_predict",
    "pass_correlation",
    "regularize",
    "regularized_linear",
    "uncertainty_of",
    "variance_of",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"pernodedrop.{name}")
    raise AttributeError(f"module 'pernodedrop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
