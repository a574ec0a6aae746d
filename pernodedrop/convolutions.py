"""A convolution of a finished model as a regularized one."""

import torch
from torch import nn

from pernodedrop.layers.pernode_conv import PerNodeDropConv2d
from pernodedrop.regularization import Regularization


def regularized_convolution(
    conv: nn.Conv2d,
    settings: Regularization,
    *,
    share_time: bool | float,
    mask_groups: int | None,
    generator: torch.Generator | None,
) -> PerNodeDropConv2d:
    """A layer of the convolution's geometry on device "meta", whose class and state `conv` is to take over.

    Raises:
        ValueError: the settings ask for masks that a convolution does not have.
    """
    if settings.mask_mode != "dynamic":
        raise ValueError(
            f"mask_mode must be 'dynamic' for a convolution, got {settings.mask_mode!r}: choose dense layers alone by "
            "where"
        )
    if share_time is not True and share_time != 1:
        raise ValueError(
            f"share_time must be True for a convolution, whose positions have one mask, got {share_time!r}: choose "
            "dense layers alone by where"
        )
    return PerNodeDropConv2d(
        conv.in_channels or conv.groups,  # a lazy one does not know it yet
        conv.out_channels,
        conv.kernel_size,  # type: ignore[arg-type]
        conv.stride,  # type: ignore[arg-type]
        conv.padding,  # type: ignore[arg-type]
        dilation=conv.dilation,  # type: ignore[arg-type]
        groups=conv.groups,
        bias=conv.bias is not None,
        padding_mode=conv.padding_mode,
        drop_rate=settings.drop_rate,
        stir_type=settings.stir_type,
        noisy_fraction=settings.noisy_fraction,
        mask_groups=mask_groups,
        backend=settings.backend,
        generator=generator,
        device="meta",
    )
