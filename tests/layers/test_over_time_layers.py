"""Layers whose masks change slowly over time: groups, dimensions, which backend runs, and what is refused."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from pernodedrop import PerNodeDropLinear, mc_mode, regularize
from pernodedrop.laws import Bernoulli, Stir
from tests.layers.test_over_time import layer


@pytest.mark.parametrize("backend", ["mask", "kernel"])
def test_a_group_s_samples_share_their_process(backend: str) -> None:
    y = layer(backend, "bernoulli", 0.8, seed=1)(torch.ones(5, 6, 3), torch.randn(40, 3), mask_groups=2)
    assert torch.allclose(y[0], y[2])
    assert torch.allclose(y[3], y[4])
    assert not torch.allclose(y[2], y[3])
    assert not torch.allclose(y[0, 0], y[0, 1])


def test_samples_may_lie_at_the_second_dimension() -> None:
    one, two = (
        PerNodeDropLinear(6, 5, share_time=0.7, batch_dim=dim, generator=torch.Generator().manual_seed(1))
        for dim in (0, 1)
    )
    two.load_state_dict(one.state_dict())
    x = torch.randn(4, 3, 6)
    assert torch.equal(one(x), two(x.transpose(0, 1)).transpose(0, 1))


def test_auto_is_the_chain_cholesky_where_it_pays_and_flipout_where_not() -> None:
    expected = {
        ("bernoulli", 40): "kernel",
        ("gaussian", 4): "reparameterized",
        ("gaussian", 40): "flipout",
        ("partial_gaussian", 4): "reparameterized",
    }
    for (stir_type, positions), backend in expected.items():
        ran = PerNodeDropLinear(8, 4, stir_type=stir_type, share_time=0.5)
        ran(torch.randn(2, positions, 8))
        assert ran.backend_used == backend
    one = PerNodeDropLinear(8, 4, stir_type="gaussian", share_time=0.5)
    one(torch.randn(2, 8))  # no positions: a mask for each sample
    assert one.backend_used == "reparameterized"


@pytest.mark.parametrize(
    "given, message",
    [
        ({"share_time": 1.2}, r"share_time must be True, False or a number in \[-1, 1\], .*, got 1.2"),
        ({"share_time": "slow"}, r"share_time must be True, False or a number in \[-1, 1\], .*, got 'slow'"),
        ({"share_time": math.nan}, "share_time must be True, False or a number .*, got nan"),
        ({"share_time": -0.7}, "must be at least -0.6667 for stir_type 'bernoulli' at drop_rate 0.4, got -0.7: take"),
        ({"share_time": -1, "stir_type": "gaussian"}, "must be above -1 for stir_type 'gaussian' .*, got -1: raise it"),
        ({"share_time": 0.5, "mask_mode": "fixed"}, "must be True or False for a fixed mask, .*, got 0.5: say"),
        ({"share_time": 0.5, "stir_type": "gaussian", "backend": "kernel"}, "bernoulli masks alone .* use 'auto'"),
        ({"share_time": 0.5, "backend": "reparameterized"}, "needs Gaussian noise, got stir_type 'bernoulli'"),
        ({"share_time": 0.5, "backend": "moment_matched"}, "has no masks that change over time: use 'mask' or 'auto'"),
        ({"share_time": 0.5, "backend": "flipout"}, "needs symmetric noise"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        PerNodeDropLinear(8, 4, drop_rate=0.4, **given)
    assert "\n" not in str(refused.value)


def test_two_dimensions_of_positions_and_rates_that_do_not_fit_are_refused() -> None:
    ran = PerNodeDropLinear(8, 4, drop_rate=0.4, share_time=-2 / 3)
    with pytest.raises(ValueError, match=r"needs one dimension of positions, x \(B, T, I\), got shape \(2, 3, 5, 8\)"):
        ran(torch.randn(2, 3, 5, 8))
    with pytest.raises(ValueError, match=r"must be at least -0.1111 for stir_type 'bernoulli' at drop_rate 0.1"):
        ran.drop_rate = 0.1
    assert ran.drop_rate == 0.4
    assert "share_time=-0.66" in repr(ran)


def test_layers_of_somebody_s_model() -> None:
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2))
    handle = regularize(model, share_time=0.8)
    x = torch.randn(3, 5, 8)
    assert model[0].share_time == 0.8
    with mc_mode(model.eval()):
        assert not torch.equal(model(x), model(x))
    assert torch.equal(model(x), model(x))
    handle.undo()
    with pytest.raises(ValueError, match=r"explicit knows masks with share_time True or False, got 0.8"):
        regularize(model, "explicit", share_time=0.8, options={"noise": "pernodedrop"})


def test_the_compiled_function_draws_the_same() -> None:
    """A layer is in tests/layers/everywhere.py."""
    torch._dynamo.reset()
    x, weight = torch.randn(3, 4, 16), torch.randn(8, 16)
    expected = layer("auto", "bernoulli", -0.5)
    compiled = torch.compile(expected, fullgraph=True, backend="eager")
    found = []
    for call in (expected, compiled):
        torch.manual_seed(3)
        found.append(call(x, weight))
    assert torch.equal(*found)


def test_two_states_have_exactly_the_correlations_that_they_can_have() -> None:
    for rate in (0.1, 0.5, 0.8):
        law = Bernoulli(rate)
        assert law.process.least(law) == pytest.approx(-min(rate / (1 - rate), (1 - rate) / rate))
    assert Stir(0.3, "gaussian").process.least(Stir(0.3, "gaussian")) == -1.0
