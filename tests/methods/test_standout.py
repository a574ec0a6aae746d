"""Standout: the probabilities, what is drawn by them, and what evaluates."""

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import regularize
from pernodedrop.methods.standout import StandoutLinear
from tests.layers.evidence import assert_mean
from tests.methods.laws import assert_formula, draws_of, seeded


def standing(alpha: float = 2.0, beta: float = 0.3) -> StandoutLinear:
    torch.manual_seed(0)
    return StandoutLinear(6, 3, alpha=alpha, beta=beta, generator=seeded(), dtype=torch.float64)


def probabilities(layer: StandoutLinear, x: Tensor) -> Tensor:
    """sigmoid(x (alpha W + beta)), with beta added to every weight."""
    return torch.sigmoid(x @ (2.0 * layer.weight + 0.3).T)


def test_a_unit_is_kept_with_its_probability_and_evaluation_is_the_mean() -> None:
    layer, x = standing(), torch.randn(6, dtype=torch.float64)
    y, dense = draws_of(layer, x, 100_000), nn.functional.linear(x, layer.weight, layer.bias).detach()
    assert_mean((y != 0).double(), probabilities(layer, x).detach())
    assert_mean(y, layer.eval()(x).detach())
    torch.testing.assert_close(y, torch.where(y != 0, dense, 0.0))  # kept as it is: not inverted
    torch.testing.assert_close(layer(x), dense * probabilities(layer, x))
    assert (standing(0.0, 0.0).eval()(x) / dense).tolist() == pytest.approx([0.5] * 3)


def test_it_is_the_written_formula_without_a_gradient_of_the_probability() -> None:
    def formula(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        keep = torch.sigmoid(x @ (2.0 * weight + 0.3).T).detach()
        return (x @ weight.T + bias) * (torch.rand(len(x), 3, generator=seeded()) < keep)

    assert_formula(standing(), formula, torch.randn(5, 6, dtype=torch.float64))


def test_units_draw_independently_and_before_a_relu_as_behind_it() -> None:
    layer, x = standing(), torch.randn(6, dtype=torch.float64)
    kept = (draws_of(layer, x, 100_000) != 0).double()
    centred = kept - probabilities(layer, x).detach()
    assert_mean(centred[:, [0, 0, 1]] * centred[:, [1, 2, 2]], 0.0)
    layer.generator = seeded()
    y = draws_of(layer, x, 100)
    torch.testing.assert_close(y.relu(), nn.functional.linear(x, layer.weight, layer.bias).relu() * (y != 0))


def test_no_weight_predicts_as_it_does() -> None:
    model = nn.Sequential(nn.Linear(4, 4))
    handle = regularize(model, "standout")
    with pytest.raises(ValueError, match="Standout evaluates by a probability of the input, which no weight computes"):
        handle.merge()
    handle.undo()
    handle.merge()  # nothing is left to merge
    assert type(model[0]) is nn.Linear
