"""Stochastic regularization layers for PyTorch: PerNodeDrop and the dropout family.

Importing the package costs nothing: a name brings torch in when it is first touched (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pernodedrop import expected_loss, functional
    from pernodedrop.insertion import Regularized, regularize
    from pernodedrop.layers.dropblock import DropBlock2d
    from pernodedrop.layers.dropconnect import DropConnectLinear
    from pernodedrop.layers.gaussian_dropout import GaussianDropout
    from pernodedrop.layers.masksembles import Masksembles
    from pernodedrop.layers.pernode_conv import PerNodeDropConv2d
    from pernodedrop.layers.pernode_linear import PerNodeDropLinear
    from pernodedrop.masksembles import ensemble_predict
    from pernodedrop.slot import regularized_linear
    from pernodedrop.stir import Stir

_HOMES = {
    "DropBlock2d": "pernodedrop.layers.dropblock",
    "DropConnectLinear": "pernodedrop.layers.dropconnect",
    "GaussianDropout": "pernodedrop.layers.gaussian_dropout",
    "Masksembles": "pernodedrop.layers.masksembles",
    "PerNodeDropConv2d": "pernodedrop.layers.pernode_conv",
    "PerNodeDropLinear": "pernodedrop.layers.pernode_linear",
    "Regularized": "pernodedrop.insertion",
    "Stir": "pernodedrop.stir",
    "ensemble_predict": "pernodedrop.masksembles",
    "regularize": "pernodedrop.insertion",
    "regularized_linear": "pernodedrop.slot",
}

__all__ = [
    "DropBlock2d",
    "DropConnectLinear",
    "GaussianDropout",
    "Masksembles",
    "PerNodeDropConv2d",
    "PerNodeDropLinear",
    "Regularized",
    "Stir",
    "ensemble_predict",
    "expected_loss",
    "functional",
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
