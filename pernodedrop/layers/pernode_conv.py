"""PerNodeDropConv2d: a convolution with a separate mask for every sample and output channel."""

import torch
from torch import Tensor, nn

from pernodedrop.backends.choice import check_backend
from pernodedrop.functional import stirred_linear
from pernodedrop.laws import CustomStir, Stir, check_mean
from pernodedrop.layers.stirred import Stirred


class PerNodeDropConv2d(Stirred, nn.Conv2d):
    """`nn.Conv2d` whose kernels are stirred per sample, output channel and incoming connection.

    In training y_bo = sum_ckl x_b * (m_bockl W_ockl) + bias, with one mask for all positions of an image; dense in
    evaluation. Computed as PerNodeDropLinear over unfolded patches, so memory grows by B * L * C * kh * kw for L
    positions. One group and zero padding only. `backend_used` as in PerNodeDropLinear.

    Input (B, C, H, W), output (B, O, H', W').

    Raises:
        ValueError: a rate, fraction or name outside its range, or a callable whose mean is not 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        *,
        dilation: int | tuple[int, int] = 1,
        bias: bool = True,
        drop_rate: float = 0.5,
        stir_type: str | CustomStir = "bernoulli",
        noisy_fraction: float = 1.0,
        backend: str = "auto",
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        stir = Stir(drop_rate, stir_type, noisy_fraction)
        check_backend(backend, stir)
        if callable(stir_type):
            check_mean(stir_type)
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            bias=bias,
            device=device,
            dtype=dtype,
        )
        self.stir = stir
        self.backend: str = backend
        self.backend_used: str | None = None
        self.generator = generator

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Conv2d's own name
        if not self.training or self.stir.is_dense:
            return super().forward(input)
        padding = self.padding
        assert not isinstance(padding, str)
        patches = nn.functional.unfold(input, self.kernel_size, self.dilation, padding, self.stride)  # B, C kh kw, L
        output, self.backend_used = stirred_linear(
            patches.transpose(1, 2),
            self.weight.flatten(1),
            self.bias,
            self.stir,
            share_time=True,
            backend=self.backend,
            generator=self.generator,
        )
        height, width = (
            (input.shape[2 + axis] + 2 * padding[axis] - self.dilation[axis] * (self.kernel_size[axis] - 1) - 1)
            // self.stride[axis]
            + 1
            for axis in (0, 1)
        )
        return output.transpose(1, 2).reshape(-1, self.out_channels, height, width)

    def extra_repr(self) -> str:
        shape = super().extra_repr()  # type: ignore[no-untyped-call]
        return f"{shape}, {self.stir.describe()}"
