"""The laws and the regularizers by their names. The module does not import torch.

To add one, write a class in a new file and a line here, or an entry point of another distribution.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pernodedrop.registry import Registry

MaskMode = Literal["dynamic", "fixed"]
MASK_MODES: tuple[MaskMode, ...] = get_args(MaskMode)

LAWS: Registry[Any] = Registry(  # of subclasses of laws.Law
    "stir_type",
    "pernodedrop.laws",
    {
        "bernoulli": "pernodedrop.laws:Bernoulli",
        "gaussian": "pernodedrop.laws:Gaussian",
        "partial_gaussian": "pernodedrop.laws:PartialGaussian",
        "custom": "pernodedrop.laws:Custom",
    },
)

REGULARIZERS: Registry[Any] = Registry(  # of subclasses of regularizers.Regularizer
    "regularizer",
    "pernodedrop.regularizers",
    {
        "none": "pernodedrop.regularizers:NoRegularizer",
        "dropout": "pernodedrop.regularizers:Dropout",
        "gaussian_dropout": "pernodedrop.regularizers:GaussianDropout",
        "dropconnect": "pernodedrop.regularizers:DropConnect",
        "masksembles": "pernodedrop.methods.masksembles:Masksembles",
        "pernodedrop": "pernodedrop.regularizers:PerNodeDrop",
        "r_drop": "pernodedrop.methods.r_drop:RDrop",
        "block_dropout": "pernodedrop.methods.block_dropout:BlockDropout",
        "shakeout": "pernodedrop.methods.shakeout:Shakeout",
        "standout": "pernodedrop.methods.standout:Standout",
        "ninr": "pernodedrop.methods.ninr:Ninr",
        "tabu": "pernodedrop.methods.tabu:Tabu",
        "variational_dropout": "pernodedrop.methods.variational_dropout:VariationalDropout",
        "sparse_variational_dropout": "pernodedrop.methods.sparse_variational_dropout:SparseVariationalDropout",
        "concrete_dropout": "pernodedrop.methods.concrete_dropout:ConcreteDropout",
        "explicit": "pernodedrop.methods.analytic:Explicit",
        "implicit": "pernodedrop.methods.analytic:Implicit",
        "explicit_implicit": "pernodedrop.methods.analytic:ExplicitImplicit",
        "averaged": "pernodedrop.methods.averaged:Averaged",
        "spatial_dropout": "pernodedrop.methods.spatial_dropout:SpatialDropoutRegularizer",
        "drop_block": "pernodedrop.methods.drop_block:DropBlockRegularizer",
        "stochastic_depth": "pernodedrop.methods.stochastic_depth:StochasticDepthRegularizer",
        "zoneout": "pernodedrop.methods.zoneout:ZoneoutRegularizer",
        "variational_rnn_dropout": "pernodedrop.methods.variational_rnn_dropout:VariationalRnnDropoutRegularizer",
        "gradient_noise": "pernodedrop.methods.gradient_noise:GradientNoiseRegularizer",
    },
)

# Where the regularizers act that act elsewhere than in a dense layer: `place` of their classes, for who has no torch.
ELSEWHERE: Mapping[str, str] = {
    "spatial_dropout": "map",
    "drop_block": "map",
    "stochastic_depth": "branch",
    "zoneout": "recurrence",
    "variational_rnn_dropout": "recurrence",
    "gradient_noise": "gradient",
}
