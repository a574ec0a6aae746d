"""Convolutions: PerNodeDropConv2d against one convolution per sample, DropBlock against its algorithm."""

from typing import Any

import pytest
import torch
from torch import nn

from pernodedrop import DropBlock2d, PerNodeDropConv2d
from pernodedrop.functional import drop_block
from tests.layers.evidence import assert_covariance, assert_mean


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian", "partial_gaussian"])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": (2, 1)}])
def test_each_sample_meets_its_own_kernels(stir_type: str, groups: int, geometry: dict) -> None:
    layer = PerNodeDropConv2d(
        4, 8, (3, 2), **geometry, groups=groups, stir_type=stir_type, noisy_fraction=0.5, backend="mask",
        generator=torch.Generator().manual_seed(2),
    ).double()  # fmt: skip
    x = torch.randn(4, 4, 9, 8, dtype=torch.float64)
    shape = (4, 8, 24) if groups == 1 else (4, groups, 8 // groups, 24 // groups)
    masks = layer.stir.draw(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    kernels = layer.weight * masks.reshape(4, 8, 4 // groups, 3, 2)
    expected = [nn.functional.conv2d(x[b : b + 1], kernels[b], layer.bias, **geometry, groups=groups) for b in range(4)]
    torch.testing.assert_close(layer(x), torch.cat(expected))


@pytest.mark.parametrize("backend", ["mask", "kernel", "flipout"])
def test_moments_of_a_depthwise_convolution(backend: str) -> None:
    """Each unit has its mean and the covariance of its positions, and units of one group share no mask."""
    layer = PerNodeDropConv2d(3, 6, 2, groups=3, drop_rate=0.5, backend=backend, bias=False).double()
    x = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    y = layer(x.expand(20_000, -1, -1, -1))  # 2 positions
    assert layer.backend_used == backend
    assert_mean(y, nn.functional.conv2d(x, layer.weight, groups=3)[0])
    patches = nn.functional.unfold(x, 2)[0].unflatten(0, (3, 4)).repeat_interleave(2, 0)  # of each unit: k k, L
    shared = (layer.weight.flatten(1) ** 2 * patches[..., 0] * patches[..., 1]).sum(1)
    assert_covariance(y[:, :, 0, 0], y[:, :, 0, 1], shared, slack=1e-2)
    for first, second in ((0, 1), (1, 2)):  # of one group, and of two
        assert_covariance(y[:, first, 0, 0], y[:, second, 0, 0], 0.0)


def test_auto_computes_small_groups_together_and_large_ones_one_by_one() -> None:
    few, many = (PerNodeDropConv2d(4, units, 3, groups=2) for units in (8, 64))
    x = torch.randn(2, 4, 6, 6)
    for layer, backend in ((few, "mask"), (many, "kernel")):
        layer(x)
        assert layer.backend_used == backend
    shared = PerNodeDropConv2d(4, 64, 3, groups=2, mask_groups=1)
    y = shared(x[:1].expand(6, -1, -1, -1))
    assert shared.backend_used == "mask"
    torch.testing.assert_close(y, y[:1].expand_as(y))


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", ["same", "valid", (2, 1)])
def test_borders_are_those_of_torch(padding_mode: str, padding: str | tuple[int, int]) -> None:
    layer = PerNodeDropConv2d(2, 4, (4, 3), 1, padding, dilation=(1, 2), padding_mode=padding_mode, drop_rate=1e-7)
    x = torch.randn(3, 2, 9, 8)
    for inputs in (x, x[:0], x[0]):
        torch.testing.assert_close(layer.train()(inputs), layer.eval()(inputs))


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("weights_in", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("channels", "groups", "size"), [(2, 1, 3), (2, 2, 3), (2, 1, 1), (1, 1, 3)])
def test_outputs_lie_in_memory_as_those_of_torch(
    channels: int, groups: int, size: int, weights_in: torch.memory_format, padding_mode: str
) -> None:
    """Models view them in other shapes."""
    settings: Any = {"groups": groups, "padding": size // 2, "padding_mode": padding_mode}
    layer = PerNodeDropConv2d(channels, 4, size, **settings).to(memory_format=weights_in)
    dense = nn.Conv2d(channels, 4, size, **settings).to(memory_format=weights_in)
    x = torch.randn(3, channels, 6, 7)
    last = x.contiguous(memory_format=torch.channels_last)
    several = (x, last, x[0], x.transpose(2, 3), x[:1].expand(5, -1, -1, -1), last[:1].expand(5, -1, -1, -1))
    for inputs in several:
        assert layer(inputs).stride() == dense(inputs).stride()
    assert torch.vmap(layer, randomness="different")(x.expand(2, -1, -1, -1, -1)).shape == (2, *dense(x).shape)


def test_evaluation_and_rate_zero_are_dense() -> None:
    layer = PerNodeDropConv2d(2, 3, 3)
    x = torch.randn(2, 2, 6, 6)
    dense = nn.functional.conv2d(x, layer.weight, layer.bias)
    assert torch.equal(layer.eval()(x), dense)
    undropped = PerNodeDropConv2d(2, 3, 3, drop_rate=0.0)
    undropped.load_state_dict(layer.state_dict())
    assert torch.equal(undropped(x), dense)


@pytest.mark.parametrize("backend", ["mask", "kernel"])
def test_moments(backend: str) -> None:
    layer = PerNodeDropConv2d(2, 2, 2, drop_rate=0.3, backend=backend, bias=False).double()
    x = torch.randn(1, 2, 2, 3, dtype=torch.float64)
    y = layer(x.expand(20_000, -1, -1, -1))  # 2 positions
    assert layer.backend_used == backend
    assert_mean(y, nn.functional.conv2d(x, layer.weight)[0])
    patches = nn.functional.unfold(x, 2)[0]  # C k k, L
    shared = 0.3 / 0.7 * (layer.weight.flatten(1) ** 2) @ (patches[:, 0] * patches[:, 1])
    assert_covariance(y[:, :, 0, 0], y[:, :, 0, 1], shared, slack=1e-2)
    assert_covariance(y[:, 0, 0, 0], y[:, 1, 0, 0], 0.0)


def test_convolution_refuses_bad_settings() -> None:
    with pytest.raises(ValueError, match="drop_rate must lie"):
        PerNodeDropConv2d(2, 3, 3, drop_rate=1.0)
    with pytest.raises(ValueError, match="must have mean 1"):
        PerNodeDropConv2d(2, 3, 3, stir_type=torch.rand)
    with pytest.raises(ValueError, match="out_channels must be divisible by groups"):
        PerNodeDropConv2d(2, 3, 3, groups=2)
    for dtype in (torch.int64, torch.bool):
        with pytest.raises(RuntimeError, match="x must be floating point of 16 bits at least or complex, got"):
            PerNodeDropConv2d(2, 3, 3)(torch.ones(1, 2, 4, 4, dtype=dtype))


def test_dropped_pixels_form_blocks() -> None:
    y = drop_block(torch.ones(200, 2, 12, 12), 0.1, 3)
    dropped = y == 0
    windows = dropped.unfold(2, 3, 1).unfold(3, 3, 1).all(-1).all(-1)  # where a whole block is dropped
    covered = nn.functional.max_pool2d(nn.functional.pad(windows.float(), [2] * 4), 3, stride=1) > 0
    assert torch.equal(covered, dropped)
    assert bool((y[~dropped] == y[~dropped][0]).all())
    torch.testing.assert_close(y.mean(), torch.tensor(1.0))


def test_share_of_dropped_pixels() -> None:
    """An inner pixel stays if none of block^2 corners that reach it is drawn."""
    rate, size, side = 0.2, 3, 9
    gamma = rate * side**2 / (size**2 * (side - size + 1) ** 2)
    y = drop_block(torch.ones(40_000, 1, side, side), rate, size)
    assert_mean((y[:, 0, 4, 4] == 0).double(), 1 - (1 - gamma) ** (size**2))
    assert_mean((y[:, 0, 0, 0] == 0).double(), gamma)


def test_block_of_one_pixel_is_dropout_of_pixels() -> None:
    y = drop_block(torch.ones(5000, 1, 4, 4), 0.3, 1)
    assert_mean((y == 0).double().flatten(1).mean(1), 0.3)


def test_dropblock_module() -> None:
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(DropBlock2d(0.3, 3).eval()(x), x)
    assert torch.equal(DropBlock2d(0.0, 3)(x), x)
    generator = torch.Generator().manual_seed(1)
    first = DropBlock2d(0.3, 3, generator=generator)(x)
    assert torch.equal(first, drop_block(x, 0.3, 3, generator=torch.Generator().manual_seed(1)))
    with pytest.raises(ValueError, match="block_size must be at most the map's side, got 9 for 8 x 8"):
        DropBlock2d(0.3, 9)(x)
    with pytest.raises(ValueError, match="block_size must be at least 1, got 0"):
        DropBlock2d(0.3, 0)
