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
    from pernodedrop.monte_carlo import mc_mode
    from pernodedrop.regularization import Regularization

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
    "ensemble_predict": "pernodedrop.masksembles",
    "held_noise": "pernodedrop.holding",
    "mc_mode": "pernodedrop.monte_carlo",
    "regularize": "pernodedrop.insertion",
    "regularized_linear": "pernodedrop.insertion",
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
    "ensemble_predict",
    "expected_loss",
    "functional",
    "held_noise",
    "mc_mode",
    "regularize",
    "regularized_linear",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"pernodedrop.{name}")
    raise AttributeError(f"module 'pernodedrop' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
