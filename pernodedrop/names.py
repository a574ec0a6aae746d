"""The laws and the regularizers by their names. The module does not import torch.

To add one, write a class in a new file and a line here, or an entry point of another distribution.
"""

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
        "masksembles": "pernodedrop.regularizers:Masksembles",
        "pernodedrop": "pernodedrop.regularizers:PerNodeDrop",
        "r_drop": "pernodedrop.methods.r_drop:RDrop",
        "block_dropout": "pernodedrop.methods.block_dropout:BlockDropout",
    },
)
