"""The dropout family as pure functions of tensors and a generator."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pernodedrop import autocast, draws
from pernodedrop.backends.base import OverTime
from pernodedrop.backends.choice import backend_of_groups, backend_over_time, chosen_backend
from pernodedrop.backends.gaussian_product import squared_product, with_deviation
from pernodedrop.grouping import by_mask, by_process, check_groups
from pernodedrop.laws import CustomStir, Law, Stir, check_drop_rate, noise_variance
from pernodedrop.processes import checked_share

_NUMBERS = (torch.float32, torch.bfloat16, torch.float16, torch.float64, torch.complex64, torch.complex128)

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
    share_time: bool | float = True,
    mask_groups: int | None = None,
    backend: str = "auto",
    generator: torch.Generator | None = None,
) -> Tensor:
    """y_bj = sum_i x_bi m_bji W_ji + b_j with a fresh factor m for every sample, unit and connection.

    x is (I,), (B, I) or (B, ..., I); weight (J, I); bias (J,); the result has x's leading dimensions and J.
    Between the first and the last dimension lie positions (time): they share their sample's mask, or with
    `share_time=False` each has its own. Source: PerNodeDrop (arXiv:2512.12663), the dynamic mask.
    A number rho as `share_time` has masks that change slowly, with the correlation rho^|t-t'| of positions t and t' of
    x (B, T, I): 1 is True and 0 is False. Every call starts a new sequence. `processes` says which rho a law has.
    `mask_groups` cuts the batch into so many contiguous groups, whose sizes differ by at most one, and the samples of a
    group share their mask (with `share_time=False` position by position): 1 is DropConnect. None, or at least B, gives
    each sample its own.
    `torch.compile` traces no explicit `generator`, here as in torch's own random functions.

    Raises:
        ValueError: a rate or name outside its range, shapes that do not fit, or a backend that cannot
            compute this noise.
    """
    stir = Stir(drop_rate, stir_type, noisy_fraction)
    check_groups(mask_groups)
    share_time = checked_share(share_time, stir)
    output, _ = stirred_linear(
        x, weight, bias, stir, share_time=share_time, mask_groups=mask_groups, backend=backend, generator=generator
    )
    return output


def stirred_linear(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stir: Law,
    *,
    share_time: bool | float,
    mask_groups: int | None = None,
    backend: str,
    generator: torch.Generator | None,
) -> tuple[Tensor, str | None]:
    """`pernode_linear` and the name of the backend that ran, None where the layer is dense."""
    if x.shape[-1:] != weight.shape[1:]:
        raise ValueError(f"x must end in {weight.shape[1]} features, got shape {tuple(x.shape)}")
    if stir.is_dense:
        return nn.functional.linear(x, weight, bias), None
    x, weight, bias = _of_one_dtype(x, weight, bias)
    if not isinstance(share_time, bool) and x.dim() > 2 and x.shape[1:-1].numel() > 1:
        y, name = _over_time(
            x, weight, stir, correlation=share_time, groups=mask_groups, backend=backend, generator=generator
        )
        return (y if bias is None else y + bias), name
    rows, back = by_mask(x, share_time=bool(share_time), groups=mask_groups)
    ran = chosen_backend(backend, rows, weight, stir)
    return back(ran.layer(rows, weight, bias, stir, generator)), ran.name


def stirred_groups(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stir: Law,
    *,
    mask_groups: int | None,
    backend: str,
    generator: torch.Generator | None,
) -> tuple[Tensor, str]:
    """`stirred_linear` where each of G groups of units meets features of its own, and the name of the backend that ran.

    x (B, T, G I) and weight (G, J, I) give (B, T, G J); bias is (G J,). The T positions share their sample's mask.
    """
    x, weight, bias = _of_one_dtype(x, weight, bias)
    rows, back = by_mask(x, share_time=True, groups=mask_groups)
    parts = rows.reshape(*rows.shape[:2], weight.shape[0], weight.shape[2])  # M, P, G, I
    ran = backend_of_groups(backend, parts[:, :, 0], weight[0], stir)
    y = back(ran.linear_of_groups(parts, weight, stir, generator).flatten(2))
    return (y if bias is None else y + bias), ran.name


def _of_one_dtype(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """What the product computes with, where autocast asks for another type than theirs; raises as `check_numbers`."""
    if autocast.is_on(x):
        x, weight = autocast.cast(x), autocast.cast(weight)
        bias = None if bias is None else autocast.cast(bias)
    check_numbers(x, weight, weight if bias is None else bias)
    _check_whole(weight)
    return x, weight, bias


def _check_whole(weight: Tensor) -> None:
    if type(weight).__name__ == "DTensor":
        raise RuntimeError(
            "the weight is a DTensor, of which each process has a part, and masks are drawn for whole ones: leave the "
            "layer out of the plan of tensor parallelism"
        )


def _over_time(
    x: Tensor,
    weight: Tensor,
    stir: Law,
    *,
    correlation: float,
    groups: int | None,
    backend: str,
    generator: torch.Generator | None,
) -> tuple[Tensor, str]:
    if x.dim() > 3:
        raise ValueError(
            f"share_time {correlation:g} needs one dimension of positions, x (B, T, I), got shape {tuple(x.shape)}: "
            "flatten the positions in their order, or say True or False"
        )
    rows, each, back = by_process(x, groups)
    ran = backend_over_time(backend, rows, weight, stir)
    return back(ran.linear_over_time(rows, weight, stir, OverTime(correlation, each), generator)), ran.name


def gaussian_dropout(x: Tensor, drop_rate: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """x * N(1, p / (1 - p)), one draw per entry of x, any shape (Srivastava et al. 2014, section 10).

    Raises:
        ValueError: drop_rate outside [0, 1).
    """
    check_drop_rate(drop_rate)
    check_numbers(x)
    if drop_rate == 0.0:
        return x
    noise = draws.normal(x.shape, generator, dtype=x.dtype.to_real() if x.is_complex() else x.dtype, device=x.device)
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
    _check_whole(weight)
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
    square = squared_product(autocast.cast(x), autocast.cast(weight))
    is_half = mean.dtype in (torch.float16, torch.bfloat16)
    total = torch.zeros_like(mean, dtype=torch.float32 if is_half else mean.dtype)
    for _ in range(samples):
        drawn = with_deviation(mean, square, noise_variance(drop_rate), generator)
        total = total + activation(drawn)
    return (total / samples).to(mean.dtype)


def drop_block(
    x: Tensor, drop_rate: float = 0.1, block_size: int = 7, *, generator: torch.Generator | None = None
) -> Tensor:
    """Zeroes squares of x (..., H, W) and rescales by the share of pixels kept, over the whole of x.

    Every map draws its own squares; x is (B, C, H, W), without a batch (C, H, W), or has more leading dimensions.
    Corners are drawn where a whole block fits, at the rate that drops a share `drop_rate` of all pixels if no
    blocks overlapped. Source: DropBlock (arXiv:1810.12890), algorithm 1.

    Raises:
        ValueError: drop_rate outside [0, 1), x without maps, or a map smaller than a block.
    """
    check_drop_rate(drop_rate)
    check_numbers(x)
    if drop_rate == 0.0:
        return x
    if x.dim() < 3:
        raise ValueError(f"x must hold maps (B, C, H, W) or (C, H, W), got shape {tuple(x.shape)}")
    height, width = x.shape[-2:]
    if min(height, width) < block_size:
        raise ValueError(f"block_size must be at most the map's side, got {block_size} for {height} x {width}")
    corners = (height - block_size + 1, width - block_size + 1)
    rate = drop_rate * height * width / (block_size**2 * corners[0] * corners[1])
    drawn = draws.uniform((*x.shape[:-2], *corners), generator, device=x.device) < rate
    counted = torch.float64 if x.dtype == torch.float64 else torch.float32  # half precision counts no map's pixels
    padded = nn.functional.pad(drawn.to(counted), [block_size - 1] * 4).flatten(0, -3).unsqueeze(1)
    blocks = nn.functional.max_pool2d(padded, block_size, stride=1)
    kept = (1.0 - blocks).reshape(x.shape)
    return x * kept.to(x.dtype) * (kept.numel() / kept.sum().clamp(min=1.0))


def check_numbers(x: Tensor, *others: Tensor) -> None:
    """Raises RuntimeError, as torch's own layers do, where they would not compute with these tensors together."""
    if x.layout != torch.strided or x.is_nested:
        kind = "a nested tensor" if x.is_nested else f"layout {x.layout}"
        raise RuntimeError(f"x must be one dense tensor, got {kind}: pad it, or call x.to_dense()")
    if x.dtype not in _NUMBERS:
        raise RuntimeError(f"x must be floating point of 16 bits at least or complex, got {x.dtype}: call x.float()")
    for other in others:
        if other.dtype != x.dtype:
            raise RuntimeError(f"x, weight and bias must have one dtype, got {x.dtype} and {other.dtype}: convert one")
