"""PerNodeDropConv2d: a convolution with a separate mask for every sample and output channel."""

from typing import Literal

import torch
from torch import Tensor, nn

from pernodedrop.backends.choice import check_backend
from pernodedrop.functional import check_numbers, stirred_groups, stirred_linear
from pernodedrop.grouping import check_groups
from pernodedrop.laws import CustomStir, Stir, check_mean
from pernodedrop.layers.noisy import leaf
from pernodedrop.layers.regularizing import Watched, watched
from pernodedrop.layers.stirred import Stirred


class PerNodeDropConv2d(Stirred, Watched, nn.Conv2d):
    """`nn.Conv2d` whose kernels are stirred per sample, output channel and incoming connection.

    In training y_bo = sum_ckl x_b * (m_bockl W_ockl) + bias, with one mask for all positions of an image, which have no
    order in which it could change slowly; dense in evaluation. Computed as PerNodeDropLinear over unfolded patches, so
    memory grows by B * L * C * kh * kw for L positions. `groups` cuts the channels as in nn.Conv2d, up to depthwise
    convolutions: c runs over those of o's group. `mask_groups` cuts the batch; it and `backend_used` are as in
    PerNodeDropLinear.

    Input (B, C, H, W), output (B, O, H', W'), or without the batch; it lies in memory as nn.Conv2d's.

    Raises:
        ValueError: a rate, fraction, number or name outside its range, or a callable whose mean is not 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Literal["same", "valid"] = 0,
        *,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        drop_rate: float = 0.5,
        stir_type: str | CustomStir = "bernoulli",
        noisy_fraction: float = 1.0,
        mask_groups: int | None = None,
        backend: str = "auto",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        stir = Stir(drop_rate, stir_type, noisy_fraction)
        check_backend(backend, stir)
        check_groups(mask_groups)
        if callable(stir_type):
            check_mean(stir_type)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device=device,
            dtype=dtype,
        )
        self.stir = stir
        self.mask_groups = mask_groups
        self.backend: str = backend
        self.backend_used: str | None = None
        self.generator = generator
        self.add_switch()

    @leaf
    @watched
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Conv2d's own name
        if not self.draws or self.stir.is_dense:
            return super().forward(input)
        if input.dim() == 3 and not input.is_nested:
            return self._stirred(input.unsqueeze(0)).squeeze(0)
        return self._stirred(input)

    def _stirred(self, x: Tensor) -> Tensor:
        if x.is_nested or x.dim() != 4:
            kind = "a nested tensor" if x.is_nested else f"shape {tuple(x.shape)}"
            raise ValueError(f"x must be (B, C, H, W) or (C, H, W), got {kind}")
        if x.shape[1] != self.in_channels:
            raise ValueError(f"x must have {self.in_channels} channels (B, C, H, W), got shape {tuple(x.shape)}")
        check_numbers(x)
        borders = self._reversed_padding_repeated_twice
        if any(borders) or self.padding_mode != "zeros":  # by 0 too, as nn.Conv2d: `circular` leaves channels_last
            x = nn.functional.pad(x, borders, "constant" if self.padding_mode == "zeros" else self.padding_mode)
        channels_last = _is_channels_last(x) or _is_channels_last(self.weight)
        sides = [self.dilation[axis] * (self.kernel_size[axis] - 1) for axis in (0, 1)]  # a kernel reaches so far
        height, width = ((x.shape[2 + axis] - sides[axis] - 1) // self.stride[axis] + 1 for axis in (0, 1))
        patches = _patches(x, self.kernel_size, self.dilation, self.stride)  # B, C kh kw, L
        output = self._product(patches.transpose(1, 2)).transpose(1, 2)
        output = output.reshape(x.shape[0], self.out_channels, height, width)
        # As nn.Conv2d's, which models may view in other shapes.
        return output.movedim(1, 3).contiguous().movedim(3, 1) if channels_last else output.contiguous()

    def _product(self, rows: Tensor) -> Tensor:
        """(B, L, C kh kw) to (B, L, O)."""
        if self.groups == 1:
            output, used = stirred_linear(
                rows,
                self.weight.flatten(1),
                self.bias,
                self.stir,
                share_time=True,
                mask_groups=self.mask_groups,
                backend=self.backend,
                generator=self.generator,
            )
        else:
            output, used = stirred_groups(
                rows,
                self.weight.reshape(self.groups, self.out_channels // self.groups, rows.shape[2] // self.groups),
                self.bias,
                self.stir,
                mask_groups=self.mask_groups,
                backend=self.backend,
                generator=self.generator,
            )
        self.backend_used = used
        return output

    def extra_repr(self) -> str:
        shape = super().extra_repr()  # type: ignore[no-untyped-call]
        described = f"{shape}, {self.stir.describe()}"
        return described if self.mask_groups is None else f"{described}, mask_groups={self.mask_groups}"


def _is_channels_last(x: Tensor) -> bool:
    """Whether torch's convolutions take (B, C, H, W) for channels_last; `is_contiguous` cannot say it within vmap.

    As `at::Tensor::suggest_memory_format` does: images lie next to each other, in them rows, and channels in positions.
    """
    strides, least = x.stride(), 1
    if strides[1] == 0:
        return False
    for axis in (1, 3, 2, 0):
        if x.shape[axis] == 0 or strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * x.shape[axis]
    return True


def _patches(x: Tensor, size: tuple[int, ...], dilation: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """`unfold`, which knows real numbers only."""
    if x.is_complex():
        return torch.complex(_patches(x.real, size, dilation, stride), _patches(x.imag, size, dilation, stride))
    return nn.functional.unfold(x, size, dilation, 0, stride)
