"""PerNodeDropLinear: a dense layer with a separate mask for every sample and unit."""

import torch
from torch import Tensor, nn

from pernodedrop.backends.choice import check_backend
from pernodedrop.functional import stirred_linear
from pernodedrop.grouping import check_batch_dim, check_groups, check_samples_at
from pernodedrop.laws import CustomStir, Stir, check_mean
from pernodedrop.layers.noisy import DrawnOnce, leaf
from pernodedrop.layers.regularizing import Regularizing, must_be_called, own_weight, watched
from pernodedrop.layers.stirred import Stirred
from pernodedrop.names import MASK_MODES, MaskMode
from pernodedrop.nested import on_padded
from pernodedrop.processes import checked_share


class PerNodeDropLinear(DrawnOnce, Stirred, Regularizing, nn.Linear):
    """`nn.Linear` whose every connection is stirred; weights, shapes and initial values are nn.Linear's.

    With mask_mode "dynamic" each sample and unit draws its mask anew in training and evaluation is dense;
    with "fixed" one (J, I) mask is drawn here, kept in the state dict and applied in training and evaluation.
    Input (B, ..., I), output (B, ..., J); see `functional.pernode_linear` for `share_time` and `mask_groups`. With a
    number as `share_time` the masks change slowly over the positions of (B, T, I), anew for every call; inputs without
    positions have a mask for each sample.
    `backend_used` names what the last training forward ran, None before it and where the layer is dense. The samples
    lie at `batch_dim` of inputs with three or more dimensions, for example at 1 in (T, B, I).

    Source: PerNodeDrop (arXiv:2512.12663).

    Raises:
        ValueError: a rate, fraction, number or name outside its range, a callable whose mean is not 1, or groups or
            masks that change over time with a fixed mask.
    """

    drawn = ("mask",)
    mask: Tensor | None
    batch_dim: int = 0  # of a layer that an earlier release has pickled

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        drop_rate: float = 0.5,
        stir_type: str | CustomStir = "bernoulli",
        mask_mode: MaskMode = "dynamic",
        noisy_fraction: float = 1.0,
        share_time: bool | float = True,
        mask_groups: int | None = None,
        batch_dim: int = 0,
        backend: str = "auto",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        stir = Stir(drop_rate, stir_type, noisy_fraction)
        share_time = checked_share(share_time, stir)
        slowly = not isinstance(share_time, bool)
        check_backend(backend, stir, over_time=slowly)
        if mask_mode not in MASK_MODES:
            raise ValueError(f"mask_mode must be one of {', '.join(MASK_MODES)}, got {mask_mode!r}")
        check_groups(mask_groups)
        check_batch_dim(batch_dim)
        if mask_groups is not None and mask_mode == "fixed":
            raise ValueError(f"mask_groups must be None for a fixed mask, which all samples share, got {mask_groups}")
        if slowly and mask_mode == "fixed":
            raise ValueError(
                f"share_time must be True or False for a fixed mask, which all positions share, got {share_time:g}: "
                "say mask_mode 'dynamic'"
            )
        if callable(stir_type):
            check_mean(stir_type)
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.stir = stir
        self.mask_mode = mask_mode
        self.share_time = share_time
        self.mask_groups = mask_groups
        self.batch_dim = batch_dim
        self.backend: str = backend
        self.backend_used: str | None = None
        self.generator = generator
        self.register_buffer("mask", None)
        if mask_mode == "fixed":
            self.reset_mask()
        else:
            self.add_switch()
        must_be_called(self)

    def reset_parameters(self) -> None:
        """Draw the weights again, and a fixed mask."""
        super().reset_parameters()
        if getattr(self, "mask", None) is not None:
            self.reset_mask()

    def reset_mask(self) -> None:
        """Draw the fixed mask again."""
        weight = self.weight
        self.mask = self.stir.draw(weight.shape, generator=self.generator, dtype=weight.dtype, device=weight.device)

    def draw_again(self) -> None:
        self.reset_mask()

    @property
    def is_active(self) -> bool:
        return self.draws or self.mask is not None

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Linear's own name
        return self.product(input, own_weight(self), self.bias)

    def product(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 - nn.Linear's own
        if self.mask is not None:
            self.backend_used = "mask"
            mask = self.mask.to(weight.dtype)  # another one where the weights alone are cast, as by FSDP2
            return nn.functional.linear(input, weight * mask, bias)
        if not self.draws:
            return nn.functional.linear(input, weight, bias)
        batch_dim = 0 if input.is_nested else self.batch_dim
        return on_padded(lambda x: self._stirred(x, weight, bias, batch_dim), input)

    def _stirred(self, x: Tensor, weight: Tensor, bias: Tensor | None, batch_dim: int) -> Tensor:
        # The samples come first below, where it matters.
        first = batch_dim != 0 and (self.share_time or self.mask_groups is not None) and x.dim() > 2
        if first:
            check_samples_at(batch_dim, x.shape)
        output, used = stirred_linear(
            x.movedim(batch_dim, 0) if first else x,
            weight,
            bias,
            self.stir,
            share_time=self.share_time,
            mask_groups=self.mask_groups,
            backend=self.backend,
            generator=self.generator,
        )
        object.__setattr__(self, "backend_used", used)  # a module's own way takes as long as an operation
        return output.movedim(0, batch_dim).contiguous() if first else output  # which models may view in other shapes

    def extra_repr(self) -> str:
        parts = [super().extra_repr(), self.stir.describe(), f"mask_mode={self.mask_mode}", f"backend={self.backend}"]
        parts += [] if self.share_time is True else [f"share_time={self.share_time}"]
        return ", ".join(parts if self.mask_groups is None else [*parts, f"mask_groups={self.mask_groups}"])
