"""The training puts the regularizer in: every variant starts from the same weights, old tasks go on working."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import PerNodeDropLinear, SharedNoiseLinear, regularize, regularized_linear
from search_spaces import TaskSpec, TrialConfig
from tests.tasks.trainings import CPU, VARIANTS, curves, training
from workers.tasks import Splits, Task
from workers.training import Training
from workers.training.model import model_of, regularization_of

CONFIGS = [replace(config, units=12, drop_rate=0.4) for config in VARIANTS]
by_variant = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.variant)
NOISY = [config for config in CONFIGS if config.regularizer != "none"]


class Circles(Task):
    """Points inside or outside a circle; a slot in the middle of a network, as the manual says."""

    def __init__(self) -> None:
        super().__init__(TaskSpec(name="tests.tasks.test_slots:Circles", epochs=2), None)  # type: ignore[arg-type]

    def load(self, device: torch.device) -> Splits:
        x = torch.randn(96, 10, generator=torch.Generator().manual_seed(1)).to(device)
        y = (x[:, :2].norm(dim=1) > 1).long()
        return Splits(x[:64], y[:64], x[64:], y[64:])

    def slot(self, config: TrialConfig, features: int) -> nn.Module:
        return nn.Linear(features, config.units)

    def build(self, config: TrialConfig) -> nn.Module:
        first = nn.Sequential(nn.Linear(10, 8), nn.ReLU())
        middle = nn.Sequential()
        middle.add_module("slot", self.slot(config, 8))
        return nn.Sequential(first, middle, nn.ReLU(), nn.Linear(config.units, 6), nn.ReLU(), nn.Linear(6, 2))


class OldCircles(Circles):
    """The same by the interface of before: the task regularizes."""

    def slot(self, config: TrialConfig, features: int) -> nn.Module:
        return regularized_linear(
            config.regularizer,
            features,
            config.units,
            drop_rate=config.drop_rate,
            stir_type=config.stir_type,
            mask_mode=config.mask_mode,
            noisy_fraction=config.noisy_fraction,
        )


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


@by_variant
def test_every_variant_starts_from_the_weights_of_none(config: TrialConfig) -> None:
    found = weights(training(Circles(), config).model)
    expected = weights(training(Circles(), TrialConfig(units=12)).model)
    assert len(found) == len(expected) == 8
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@by_variant
def test_rate_zero_trains_what_none_trains_bit_for_bit(config: TrialConfig) -> None:
    plain = training(Circles(), TrialConfig(units=12, batch_size=config.batch_size))
    run = training(Circles(), replace(config, drop_rate=0.0))
    assert curves(run) == curves(plain)
    assert all(torch.equal(one, other) for one, other in zip(weights(run.model), weights(plain.model), strict=True))


@pytest.mark.parametrize("config", NOISY, ids=lambda config: config.variant)
def test_the_regularizer_is_where_the_slot_was(config: TrialConfig) -> None:
    torch.manual_seed(0)
    model = model_of(Circles(), config)[0].train()
    x = torch.randn(32, 10)
    plain = Circles().build(config)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert type(model.get_submodule("1.slot")) is not nn.Linear
    assert not torch.allclose(model(x), plain(x), atol=1e-4)


@pytest.mark.parametrize("config", NOISY, ids=lambda config: config.variant)
def test_a_task_that_regularizes_goes_on_working_and_is_told(config: TrialConfig) -> None:
    with pytest.warns(FutureWarning, match=r"task .*:Circles .* puts \w+ nowhere and relies on build"):
        run = training(OldCircles(), config)
    assert run.facts["regularized_by"] == "the task"
    assert len(curves(run)) == 2
    torch.manual_seed(5)
    expected = OldCircles().build(config)
    torch.manual_seed(5)
    with pytest.warns(FutureWarning):
        found = model_of(OldCircles(), config)[0]
    state = found.state_dict()
    assert all(torch.equal(state[name], value) for name, value in expected.state_dict().items())
    assert list(state) == list(expected.state_dict())


def test_without_a_regularizer_no_task_is_told_anything() -> None:
    for task in (Circles(), OldCircles()):
        assert "regularized_by" not in training(task, TrialConfig(units=12)).facts
    assert "regularized_by" not in training(Circles(), TrialConfig("dropout", units=12)).facts


def test_a_task_that_regularizes_in_any_other_way_is_not_regularized_twice() -> None:
    class Regularized(Circles):
        def build(self, config: TrialConfig) -> nn.Module:
            model = super().build(config)
            regularize(model, config.regularizer, "*.slot", drop_rate=config.drop_rate)
            return model

    class Slotless(Circles):
        def build(self, config: TrialConfig) -> nn.Module:
            return nn.Sequential(nn.Dropout(config.drop_rate), nn.Linear(10, 2))

    for task, layers in ((Regularized(), 1), (Slotless(), 0)):
        with pytest.warns(FutureWarning, match="nowhere"):
            model, handle = model_of(task, TrialConfig(regularizer="pernodedrop", units=12))
        assert handle is None
        assert sum(isinstance(layer, PerNodeDropLinear) for layer in model.modules()) == layers


@pytest.mark.parametrize("regularizer", ["dropout", "gaussian_dropout", "masksembles", "pernodedrop"])
def test_in_front_of_a_recurrence_noise_is_shared_by_the_positions(regularizer: str) -> None:
    class Sequences(Circles):
        def build(self, config: TrialConfig) -> nn.Module:
            model = nn.Sequential()
            model.add_module("slot", SharedNoiseLinear(5, 7))
            return model

    torch.manual_seed(0)
    model = model_of(Sequences(), TrialConfig(regularizer=regularizer))[0].train()
    y = model(torch.ones(8, 6, 5))
    torch.testing.assert_close(y, y[:, :1].expand(8, 6, 7))
    assert not torch.allclose(y[0], y[-1])


@pytest.mark.parametrize("stir_type, mask_mode", [*product(("gaussian", "partial_gaussian"), ("dynamic", "fixed"))])
def test_one_value_carries_the_settings_to_the_layer(stir_type: str, mask_mode: str) -> None:
    config = TrialConfig("pernodedrop", stir_type, mask_mode, 0.3, 0.25, units=12)  # type: ignore[arg-type]
    layer = Training(Circles(), config, epochs=1, seed=0, device=CPU).model.get_submodule("1.slot")
    assert isinstance(layer, PerNodeDropLinear)
    settings = regularization_of(config)
    assert (layer.stir.name, layer.mask_mode, layer.stir.drop_rate) == (stir_type, mask_mode, settings.drop_rate)
    assert getattr(layer.stir, "noisy_fraction", 0.25) == settings.noisy_fraction == 0.25
