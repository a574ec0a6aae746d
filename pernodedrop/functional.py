"""The dropout family as pure functions of tensors and a generator."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pernodedrop import draws
from pernodedrop.backends import reparameterized
from pernodedrop.backends.choice import chosen_backend
from pernodedrop.laws import CustomStir, Law, Stir, check_drop_rate, noise_variance

__all__ = [
    "drop_block",
    "dropconnect_average",
    "dropconnect_linear",
    "gaussian_dropout",
    "pernode_linear",
    "sample_mask",
]


def sample_mask(
    shape: Sequence[int],
    drop_rate: float = 0.5,
    stir_type: str | CustomStir = "bernoulli",
    *,
    noisy_fraction: float = 1.0,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """Independent factors with mean 1 of the given shape: the reference mask (see `Stir` for the laws).

    Raises:
        ValueError: a rate or name outside its range, as `Stir` says.
    """
    stir = Stir(drop_rate, stir_type, noisy_fraction)
    return stir.draw(shape, generator=generator, dtype=dtype, device=device)


def pernode_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    drop_rate: float = 0.5,
    *,
    stir_type: str | CustomStir = "bernoulli",
    noisy_fraction: float = 1.0,
    share_time: bool = True,
    backend: str = "auto",
    generator: torch.Generator | None = None,
) -> Tensor:
    """y_bj = sum_i x_bi m_bji W_ji + b_j with a fresh factor m for every sample, unit and connection.

    x is (I,), (B, I) or (B, ..., I); weight (J, I); bias (J,); the result has x's leading dimensions and J.
    Between the first and the last dimension lie positions (time): they share their sample's mask, or with
    `share_time=False` each has its own. Source: PerNodeDrop (arXiv:2512.12663), the dynamic mask.
    `torch.compile` traces no explicit `generator`, here as in torch's own random functions.

    Raises:
        ValueError: a rate or name outside its range, shapes that do not fit, or a backend that cannot
            compute this noise.
    """
    stir = Stir(drop_rate, stir_type, noisy_fraction)
    output, _ = stirred_linear(x, weight, bias, stir, share_time=share_time, backend=backend, generator=generator)
    return output


def stirred_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stir: Law,
    *,
    share_time: bool,
    backend: str,
    generator: torch.Generator | None,
) -> tuple[Tensor, str | None]:
    """`pernode_linear` and the name of the backend that ran, None where the layer is dense."""
    if x.shape[-1:] != weight.shape[1:]:
        raise ValueError(f"x must end in {weight.shape[1]} features, got shape {tuple(x.shape)}")
    if stir.is_dense:
        return nn.functional.linear(x, weight, bias), None
    x, weight = _autocast(x), _autocast(weight)
    bias = None if bias is None else _autocast(bias)
    samples, positions = _samples_and_positions(x, share_time)
    rows = x.reshape(samples, positions, x.shape[-1])
    ran = chosen_backend(backend, rows, weight, stir)
    y = ran.linear(rows, weight, stir, generator).reshape(*x.shape[:-1], weight.shape[0])
    return (y if bias is None else y + bias), ran.name


def gaussian_dropout(x: Tensor, drop_rate: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """x * N(1, p / (1 - p)), one draw per entry of x, any shape (Srivastava et al. 2014, section 10).

    Raises:
        ValueError: drop_rate outside [0, 1).
    """
    check_drop_rate(drop_rate)
    if drop_rate == 0.0:
        return x
    noise = draws.normal(x.shape, generator, dtype=x.dtype, device=x.device)
    return x * noise.mul_(noise_variance(drop_rate) ** 0.5).add_(1.0)


def dropconnect_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    drop_rate: float = 0.5,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Linear layer whose weights are dropped once for the whole batch; the bias never is.

    x is (..., I), weight (J, I), bias (J,). Source: Wan et al. 2013, one mask per forward.

    Raises:
        ValueError: drop_rate outside [0, 1).
    """
    factors = sample_mask(weight.shape, drop_rate, generator=generator, dtype=weight.dtype, device=weight.device)
    return nn.functional.linear(x, weight * factors, bias)


def dropconnect_average(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    drop_rate: float,
    activation: Callable[[Tensor], Tensor],
    *,
    samples: int = 1000,
    generator: torch.Generator | None = None,
) -> Tensor:
    """DropConnect's own inference: the activation averaged over moment-matched Gaussian pre-activations.

    Pre-activations are N(x W^T + b, s^2 (x * x)(W * W)^T), s^2 = p / (1 - p), `samples` draws for each.
    x is (..., I), weight (J, I); the result (..., J). Source: Wan et al. 2013, algorithm 2.

    Raises:
        ValueError: drop_rate outside [0, 1) or fewer than 1 sample.
    """
    check_drop_rate(drop_rate)
    if samples < 1:
        raise ValueError(f"samples must be at least 1, got {samples}")
    mean = nn.functional.linear(x, weight, bias)
    square = nn.functional.linear(x * x, weight * weight)
    total = torch.zeros_like(mean)
    for _ in range(samples):
        drawn = reparameterized.with_deviation(mean, square, noise_variance(drop_rate), generator)
        total = total + activation(drawn)
    return total / samples


def drop_block(
    x: Tensor, drop_rate: float = 0.1, block_size: int = 7, *, generator: torch.Generator | None = None
) -> Tensor:
    """Zeroes squares of x (B, C, H, W) and rescales by the share of pixels kept, over the whole batch.

    Corners are drawn where a whole block fits, at the rate that drops a share `drop_rate` of all pixels if no
    blocks overlapped. Source: DropBlock (arXiv:1810.12890), algorithm 1.

    Raises:
        ValueError: drop_rate outside [0, 1) or a map smaller than a block.
    """
    check_drop_rate(drop_rate)
    if drop_rate == 0.0:
        return x
    height, width = x.shape[-2:]
    if min(height, width) < block_size:
        raise ValueError(f"block_size must be at most the map's side, got {block_size} for {height} x {width}")
    corners = (height - block_size + 1, width - block_size + 1)
    rate = drop_rate * height * width / (block_size**2 * corners[0] * corners[1])
    drawn = draws.uniform((*x.shape[:2], *corners), generator, device=x.device) < rate
    border = [block_size - 1] * 4
    blocks = nn.functional.max_pool2d(nn.functional.pad(drawn.to(x.dtype), border), block_size, stride=1)
    kept = 1.0 - blocks
    return x * kept * (kept.numel() / kept.sum().clamp(min=1.0))


def _samples_and_positions(x: Tensor, share_time: bool) -> tuple[int, int]:
    leading = x.shape[:-1]
    if share_time and leading:
        return leading[0], leading[1:].numel()
    return leading.numel(), 1


def _autocast(tensor: Tensor) -> Tensor:
    """The tensor in the type that torch's own linear would compute in: kernels do not see autocast."""
    device = tensor.device.type
    if tensor.dtype == torch.float64 or not torch.is_autocast_enabled(device):
        return tensor
    return tensor.to(torch.get_autocast_dtype(device))
