"""Which backend runs, and what is said where it is not the one asked for."""

import pytest
import torch

from pernodedrop import PerNodeDropLinear
from pernodedrop.backends import base, kernel
from pernodedrop.functional import pernode_linear


@pytest.fixture(autouse=True)
def _nothing_warned_of_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_WARNED", set())


@pytest.mark.parametrize(
    "stir_type, shape, expected",
    [
        ("bernoulli", (4, 8), "kernel"),
        ("gaussian", (4, 8), "reparameterized"),
        ("partial_gaussian", (4, 8), "reparameterized"),
        ("gaussian", (4, 3, 8), "kernel"),
        ("partial_gaussian", (4, 4, 8), "mask"),
        ("bernoulli", (4, 3, 8), "kernel"),
    ],
)
def test_auto_takes_the_fastest_exact_backend(stir_type: str, shape: tuple[int, ...], expected: str) -> None:
    layer = PerNodeDropLinear(8, 4, stir_type=stir_type)
    assert layer.backend_used is None
    layer(torch.randn(shape))
    assert layer.backend_used == expected


def test_without_a_compiler_the_mask_runs_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "INSTALLED", frozenset())
    layer = PerNodeDropLinear(8, 2, backend="kernel")
    said = (
        r"no kernel for torch.float32 on 'cpu' \(numba is not installed here: pip install numba\): backend 'mask' runs"
    )
    with pytest.warns(RuntimeWarning, match=said):
        layer(torch.randn(4, 8))
    assert layer.backend_used == "mask"
    layer(torch.randn(4, 8))  # a second warning would be an error here
    partial = PerNodeDropLinear(8, 2, stir_type="partial_gaussian")
    partial(torch.randn(4, 8))
    assert partial.backend_used == "reparameterized"


@pytest.mark.parametrize("backend", ["reparameterized", "moment_matched"])
def test_shared_masks_are_not_reparameterized(backend: str) -> None:
    layer = PerNodeDropLinear(8, 4, stir_type="gaussian", backend=backend)
    with pytest.warns(RuntimeWarning, match="wrong for masks shared over time or in groups: 'kernel' runs instead"):
        layer(torch.randn(4, 3, 8))
    assert layer.backend_used == "kernel"
    layer.share_time = False
    layer(torch.randn(4, 3, 8))
    assert layer.backend_used == backend


@pytest.mark.parametrize(
    "backend, stir_type, message",
    [
        ("fast", "bernoulli", "backend must be one of .*, got 'fast'"),
        ("reparameterized", "bernoulli", "needs Gaussian noise, got stir_type 'bernoulli'"),
        ("flipout", "bernoulli", "needs symmetric noise, got stir_type 'bernoulli' with drop_rate 0.3"),
        ("kernel", lambda shape, **options: torch.ones(shape), "knows no custom stir"),
    ],
)
def test_impossible_backends_are_refused(backend: str, stir_type: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PerNodeDropLinear(8, 2, drop_rate=0.3, stir_type=stir_type, backend=backend)


def test_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"x must end in 8 features, got shape \(4, 7\)"):
        pernode_linear(torch.randn(4, 7), torch.randn(2, 8))
