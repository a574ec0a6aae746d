"""The layers that tests/layers/everywhere.py tries: how each is built, and for inputs of which shape."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pernodedrop import (
    DropBlock2d,
    DropConnectLinear,
    GaussianDropout,
    Masksembles,
    PerNodeDropConv2d,
    PerNodeDropLinear,
    regularize,
)
from pernodedrop.layers.dropout import Dropout
from pernodedrop.methods.spatial_dropout import SpatialDropout
from pernodedrop.methods.stochastic_depth import StochasticDepth

Build = Callable[..., nn.Module]


def _linear(**settings: object) -> Build:
    return lambda **more: PerNodeDropLinear(16, 8, bias=False, **settings, **more)


class Doubled(nn.Linear):
    """A dense layer of somebody's own."""

    def forward(self, x: Tensor) -> Tensor:
        return 2.0 * super().forward(x)


def _regularized(regularizer: str) -> Build:
    def build(generator: torch.Generator | None = None, device: str | None = None) -> nn.Module:
        model = nn.Sequential(Doubled(16, 8, bias=False, device=device))
        regularize(model, regularizer, where=Doubled, generator=generator)
        return model[0]

    return build


LAYERS: dict[str, tuple[Build, tuple[int, ...]]] = {
    "PerNodeDropLinear, bernoulli": (_linear(), (12, 16)),
    "PerNodeDropLinear, gaussian": (_linear(stir_type="gaussian"), (12, 16)),
    "PerNodeDropLinear, partial gaussian": (_linear(stir_type="partial_gaussian", noisy_fraction=0.5), (12, 16)),
    "PerNodeDropLinear, fixed mask": (_linear(mask_mode="fixed"), (12, 16)),
    "PerNodeDropLinear, backend mask": (_linear(backend="mask"), (12, 16)),
    "PerNodeDropLinear, 5 mask groups": (_linear(mask_groups=5), (12, 16)),
    "PerNodeDropLinear, backend flipout": (_linear(backend="flipout"), (12, 16)),
    "PerNodeDropLinear, backend moment_matched": (_linear(backend="moment_matched"), (12, 16)),
    "PerNodeDropConv2d": (lambda **more: PerNodeDropConv2d(2, 3, 3, bias=False, **more), (4, 2, 6, 6)),
    "PerNodeDropConv2d, 2 groups": (
        lambda **more: PerNodeDropConv2d(2, 4, 3, groups=2, bias=False, **more),
        (4, 2, 6, 6),
    ),
    "DropConnectLinear": (lambda **more: DropConnectLinear(16, 8, bias=False, **more), (12, 16)),
    "GaussianDropout": (lambda device=None, **more: GaussianDropout(**more), (12, 16)),
    "DropBlock2d": (lambda device=None, **more: DropBlock2d(0.3, 3, **more), (4, 2, 6, 6)),
    "Dropout": (lambda device=None, generator=None: Dropout(0.5), (12, 16)),
    "Masksembles": (lambda **more: Masksembles(16, **more), (12, 16)),
    "regularize, pernodedrop": (_regularized("pernodedrop"), (12, 16)),
    "regularize, dropconnect": (_regularized("dropconnect"), (12, 16)),
    "regularize, gaussian_dropout": (_regularized("gaussian_dropout"), (12, 16)),
    "regularize, masksembles": (_regularized("masksembles"), (12, 16)),
    "regularize, block_dropout": (_regularized("block_dropout"), (12, 16)),
    "regularize, shakeout": (_regularized("shakeout"), (12, 16)),
    "regularize, standout": (_regularized("standout"), (12, 16)),
    "regularize, ninr": (_regularized("ninr"), (12, 16)),
    "regularize, variational_dropout": (_regularized("variational_dropout"), (12, 16)),
    "regularize, sparse_variational_dropout": (_regularized("sparse_variational_dropout"), (12, 16)),
    "regularize, concrete_dropout": (_regularized("concrete_dropout"), (12, 16)),
    "regularize, explicit": (_regularized("explicit"), (12, 16)),
    "SpatialDropout": (lambda device=None, **more: SpatialDropout(**more), (4, 8, 3, 3)),
    "StochasticDepth": (lambda device=None, **more: StochasticDepth(**more), (12, 16)),
    "PerNodeDropLinear, share_time 0.5": (_linear(share_time=0.5), (4, 3, 16)),
    "PerNodeDropLinear, gaussian, share_time 0.5": (_linear(share_time=0.5, stir_type="gaussian"), (4, 3, 16)),
}
FIXED = (  # draw once, when they are built, or not at all
    "PerNodeDropLinear, fixed mask",
    "Masksembles",
    "regularize, masksembles",
    "regularize, explicit",
)
AFFINE = ("regularize, ninr",)  # not homogeneous in the input


class Case:
    """One layer, which is built anew as often as a case asks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.build, self.shape = LAYERS[name]
        self.draws = name not in FIXED
        self.is_affine = name in AFFINE

    def layer(self, **more: object) -> nn.Module:
        torch.manual_seed(1)
        return self.build(**more)

    def x(self, **more: object) -> Tensor:
        torch.manual_seed(2)
        return torch.randn(self.shape, **more)


def seeded(call: Callable[..., Tensor], *args: Tensor) -> Tensor:
    torch.manual_seed(3)
    return call(*args)
