"""A law, a regularizer and a backend that a test alone brings: nothing falls back to another."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from pernodedrop import Law, PerNodeDropConv2d, PerNodeDropLinear, Regularization, Stir, regularize, regularized_linear
from pernodedrop.backends.choice import BACKENDS
from pernodedrop.expected_loss import explicit_penalty
from pernodedrop.functional import pernode_linear
from pernodedrop.laws import Bernoulli
from pernodedrop.names import LAWS, REGULARIZERS
from search_spaces import TrialConfig
from service.reports.charts.look import COLOURS, SPARE, look_of
from tests.extensions.outside import ONE_BY_ONE, Laplace, Uniform, UniformNoise
from tests.layers.evidence import assert_mean
from tests.tasks.trainings import curves, few_digits_of, training

RATE = 0.4
VARIANCE = RATE / (1 - RATE)
KURTOSIS = 6.0  # E (m - 1)^4 / Var[m]^2; a Gaussian's is 3
FITTING = ("mask", "flipout", "moment_matched", "one_by_one", "auto")


@pytest.fixture(autouse=True)
def _brought() -> Iterator[None]:
    LAWS.register("laplace", Laplace)
    REGULARIZERS.register("uniform", Uniform)
    BACKENDS.register("one_by_one", ONE_BY_ONE)
    torch.manual_seed(20251212)
    yield
    LAWS.remove("laplace")
    REGULARIZERS.remove("uniform")
    BACKENDS.remove("one_by_one")


def assert_laplace(noise: torch.Tensor) -> None:
    assert_mean(noise.flatten(), 0.0)
    assert_mean(noise.flatten() ** 2 / VARIANCE, 1.0)
    assert_mean(noise.flatten() ** 4 / VARIANCE**2, KURTOSIS)


def test_the_noise_has_its_own_moments() -> None:
    law = Stir(RATE, "laplace")
    assert isinstance(law, Laplace)
    assert law.variance == pytest.approx(VARIANCE)
    assert_laplace(law.draw((400_000,), dtype=torch.float64) - 1)
    assert torch.equal(Stir(0.0, "laplace").draw((5,)), torch.ones(5))


@pytest.mark.parametrize("backend", ["auto", "mask", "one_by_one"])
def test_a_layer_computes_it_exactly(backend: str) -> None:
    """One connection: the output is the factor itself."""
    layer = PerNodeDropLinear(1, 400, bias=False, drop_rate=RATE, stir_type="laplace", backend=backend).double()
    nn.init.ones_(layer.weight)
    noise = layer(torch.ones(1000, 1, dtype=torch.float64)) - 1
    assert layer.backend_used == ("mask" if backend == "auto" else backend)
    assert_laplace(noise.detach())
    assert "drop_rate=0.4, stir_type=laplace" in str(layer)


@pytest.mark.parametrize("backend", FITTING)
def test_every_backend_that_takes_it_keeps_mean_and_variance(backend: str) -> None:
    x, weight = torch.randn(1, 6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    batch = x.expand(20_000, 6)
    y = torch.cat(
        [
            pernode_linear(part, weight, drop_rate=RATE, stir_type="laplace", backend=backend)
            for part in batch.split(20 if backend == "flipout" else 20_000)
        ]
    )
    assert_mean(y, x @ weight.T)
    spread = (y - x @ weight.T) ** 2 / (VARIANCE * (x * x) @ (weight * weight).T)
    # flipout's samples share their magnitudes within a batch: the means of batches are independent
    assert_mean(spread.reshape(-1, 20, 3).mean(1), 1.0)


@pytest.mark.parametrize("backend, message", [("kernel", "knows no laplace"), ("reparameterized", "needs Gaussian")])
def test_a_backend_that_cannot_refuses(backend: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PerNodeDropLinear(4, 2, stir_type="laplace", backend=backend)


def test_a_fixed_mask_and_a_convolution_draw_it() -> None:
    fixed = PerNodeDropLinear(500, 400, drop_rate=RATE, stir_type="laplace", mask_mode="fixed")
    assert fixed.mask is not None
    assert_laplace(fixed.mask.double() - 1)
    convolution = PerNodeDropConv2d(1, 400, 1, bias=False, drop_rate=RATE, stir_type="laplace").double()
    nn.init.ones_(convolution.weight)
    images = convolution(torch.ones(1000, 1, 2, 2, dtype=torch.float64)).detach()
    assert torch.equal(images[..., 0, 0], images[..., 1, 1])  # one mask for all positions
    assert_laplace(images[..., 0, 0] - 1)


def test_regularize_puts_it_in() -> None:
    model = nn.Sequential(nn.Linear(1, 400, bias=False), nn.Identity()).double()
    nn.init.ones_(model[0].weight)
    regularize(model, drop_rate=RATE, stir_type="laplace")
    assert_laplace(model(torch.ones(1000, 1, dtype=torch.float64)).detach() - 1)


def test_its_variance_is_that_of_the_explicit_penalty() -> None:
    x, layer = torch.randn(5, 4, dtype=torch.float64), nn.Linear(4, 3).double()
    target = torch.randn(5, 3, dtype=torch.float64)

    def losses(y: torch.Tensor) -> torch.Tensor:
        return (y - target).square().sum(-1).mean(-1)

    law = Stir(RATE, "laplace")
    with torch.no_grad():
        drawn = [pernode_linear(x, layer.weight, layer.bias, RATE, stir_type="laplace") for _ in range(6000)]
        increase = losses(torch.stack(drawn)) - losses(layer(x))
    penalty = explicit_penalty(layer, x, losses, layers=[layer], regularizer="pernodedrop", variance=law.variance)
    assert_mean(increase, penalty.detach())


def test_a_law_that_does_not_say_what_it_must_raises() -> None:
    @dataclass(frozen=True)
    class Silent(Law):
        name = "silent"

    LAWS.register("silent", Silent)
    try:
        with pytest.raises(TypeError, match="abstract"):
            PerNodeDropLinear(4, 2, stir_type="silent")
    finally:
        LAWS.remove("silent")


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="stir_type 'bernoulli' is taken"):
        LAWS.register("bernoulli", Bernoulli)
    with pytest.raises(ValueError, match=r"stir_type must be one of bernoulli, .*, laplace, got 'laplaec'"):
        Stir(RATE, "laplaec")


@pytest.mark.parametrize("regularizer, stir_type", [("pernodedrop", "laplace"), ("uniform", "bernoulli")])
@pytest.mark.parametrize("mask_mode", ["dynamic", "fixed"])
def test_they_train_under_their_own_name(regularizer: str, stir_type: str, mask_mode: str) -> None:
    task = few_digits_of("paper")
    config = TrialConfig(regularizer, stir_type, mask_mode, 0.3, batch_size=32)  # type: ignore[arg-type]
    run = training(task, config)
    slot = run.model.get_submodule("slot")
    if regularizer == "uniform":
        assert isinstance(slot.get_submodule("regularizer"), UniformNoise)
    else:
        assert isinstance(slot, PerNodeDropLinear)
        assert isinstance(slot.stir, Laplace)
    found = curves(run)
    assert found == curves(training(task, config))
    others = ("gaussian", "bernoulli") if regularizer == "pernodedrop" else ("bernoulli",)
    for other in others:
        known = replace(config, regularizer="pernodedrop", stir_type=other)
        assert curves(training(task, known)) != found
    assert curves(training(task, replace(config, drop_rate=0.0))) == curves(training(task, TrialConfig(batch_size=32)))


def test_a_regularizer_of_ones_own_is_a_slot_and_has_a_penalty_only_if_it_says_so() -> None:
    module = regularized_linear("uniform", 6, 3, drop_rate=0.3)
    assert isinstance(module.get_submodule("regularizer"), UniformNoise)
    assert Regularization("uniform").regularizer == "uniform"
    with pytest.raises(ValueError, match=r"regularizer must be one of none, .*, uniform, got 'unifrom'"):
        Regularization("unifrom")


def test_a_backend_of_ones_own_says_that_it_ran() -> None:
    layer = PerNodeDropLinear(4, 2, backend="one_by_one")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(torch.randn(3, 4))
    assert layer.backend_used == "one_by_one"


def test_every_unlisted_kind_has_a_colour_of_its_own() -> None:
    looks = {name: look_of(f"pernodedrop-{name}-dynamic").colour for name in ("laplace", "cauchy", "bernoulli")}
    assert looks["laplace"] in SPARE
    assert looks["bernoulli"] == COLOURS["pernodedrop-bernoulli"]
    assert look_of("pernodedrop-laplace-fixed").colour == looks["laplace"]
    assert len({*COLOURS.values(), *SPARE}) == len(COLOURS) + len(SPARE)
