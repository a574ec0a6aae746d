"""Convolutions: PerNodeDropConv2d against one convolution per sample, DropBlock against its algorithm."""

import pytest
import torch
from torch import nn

from pernodedrop import DropBlock2d, PerNodeDropConv2d
from pernodedrop.functional import drop_block
from tests.layers.evidence import assert_covariance, assert_mean


@pytest.mark.parametrize("stir_type", ["bernoulli", "gaussian", "partial_gaussian"])
@pytest.mark.parametrize("geometry", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": (2, 1)}])
def test_each_sample_meets_its_own_kernels(stir_type: str, geometry: dict) -> None:
    layer = PerNodeDropConv2d(
        3, 5, (3, 2), **geometry, stir_type=stir_type, noisy_fraction=0.5, backend="mask",
        generator=torch.Generator().manual_seed(2),
    ).double()  # fmt: skip
    x = torch.randn(4, 3, 9, 8, dtype=torch.float64)
    masks = layer.stir.draw((4, 5, 18), generator=torch.Generator().manual_seed(2), dtype=torch.float64).reshape(
        4, 5, 3, 3, 2
    )
    expected = [nn.functional.conv2d(x[b : b + 1], layer.weight * masks[b], layer.bias, **geometry) for b in range(4)]
    torch.testing.assert_close(layer(x), torch.cat(expected))


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
