"""The Triton kernel: on a GPU where there is one, else through Triton's interpreter."""

import pytest
import torch

from tests.layers.evidence import assert_mean

pytest.importorskip("triton", reason="triton is not installed: it comes with torch's CUDA wheels")

from pernodedrop.backends import gpu

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
LAWS = [[1, 0, 0], [1, 1, 0], [11469, 14, 0], [5243, 19, 0], [1, 0, 1], [3, 2, 1]]


def seed() -> torch.Tensor:
    return torch.tensor([123_456_789_012], device=DEVICE)


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, device=DEVICE)


def masks(law: list[int], samples: int, units: int, connections: int) -> torch.Tensor:
    """The factors (samples, units, connections), read off unit inputs and unit weights."""
    eye = torch.eye(connections, device=DEVICE).expand(samples, connections, connections)
    return gpu.product(eye, torch.ones(units, connections, device=DEVICE), seed(), law).transpose(1, 2)


@pytest.mark.parametrize("law", LAWS, ids=str)
@pytest.mark.parametrize("sizes", [(2, 1, 140, 18), (2, 18, 40, 5)])
def test_products_and_gradients_share_their_factors(law: list[int], sizes: tuple[int, ...]) -> None:
    samples, positions, connections, units = sizes
    x, weight, g = (
        normal(samples, positions, connections),
        normal(units, connections),
        normal(samples, positions, units),
    )
    m = masks(law, samples, units, connections)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(
        gpu.product(x, weight, seed(), law), torch.einsum("bti,bji,ji->btj", x, m, weight), **close
    )
    grad_x, grad_weight = gpu.gradients(g, x, weight, seed(), law)
    torch.testing.assert_close(grad_x, torch.einsum("btj,bji,ji->bti", g, m, weight), **close)
    torch.testing.assert_close(grad_weight, torch.einsum("btj,bji,bti->ji", g, m, x), **close)


@pytest.mark.parametrize("law", LAWS[1:], ids=str)
def test_moments(law: list[int]) -> None:
    keep, bits, is_normal = law
    probability = keep / 2**bits if bits else 1.0
    m = masks(law, 2, 32, 128).flatten().cpu()
    assert_mean(m, 0.0 if is_normal else probability)
    assert_mean(m**2, probability)
    assert_mean(m**4, 3 * probability if is_normal else probability)
    noise = m.double() - m.double().mean()
    for lag in (1, 128):
        correlation = float((noise[lag:] * noise[:-lag]).mean() / noise.var())
        assert abs(correlation) < 5 / noise.numel() ** 0.5


def test_seeds_and_samples_differ() -> None:
    m = masks([1, 1, 0], 2, 8, 128)
    assert not torch.equal(m[0], m[1])
    x, weight = normal(2, 1, 128), normal(8, 128)
    a = gpu.product(x, weight, seed(), [1, 1, 0])
    assert torch.equal(a, gpu.product(x, weight, seed(), [1, 1, 0]))
    assert not torch.equal(a, gpu.product(x, weight, seed() + 1, [1, 1, 0]))


def test_empty_batch_and_half_precision() -> None:
    weight = normal(8, 32).bfloat16()
    assert gpu.product(normal(0, 1, 32).bfloat16(), weight, seed(), [1, 1, 0]).shape == (0, 1, 8)
    x = normal(3, 1, 32).bfloat16()
    grad_x, grad_weight = gpu.gradients(normal(3, 1, 8).bfloat16(), x, weight, seed(), [1, 1, 0])
    assert grad_x.dtype == grad_weight.dtype == torch.bfloat16
