"""Regularizers by formula in trainings and studies."""

import pytest
from torch import nn

from pernodedrop import SharedNoiseLinear
from search_spaces import TrialConfig, parse_definition
from tests.methods.test_analytic import NAMES
from tests.search_spaces.studies import categorical, space
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import curves, few_digits_of, training


class Sequences(Circles):
    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Unflatten(1, (5, 2)))
        model.add_module("slot", SharedNoiseLinear(2, config.units))
        return model.append(nn.Flatten()).append(nn.Linear(5 * config.units, 2))


@pytest.mark.parametrize("name", NAMES)
def test_a_training_starts_where_none_starts_and_at_rate_0_it_is_none(name: str) -> None:
    for task in (Circles(), Sequences()):
        plain = curves(training(task, TrialConfig(units=12, batch_size=16)))
        found = curves(training(task, TrialConfig(name, units=12, batch_size=16)))
        assert found == curves(training(task, TrialConfig(name, units=12, batch_size=16))) != plain
        assert curves(training(task, TrialConfig(name, drop_rate=0.0, units=12, batch_size=16))) == plain
    searched = {
        curves(training(Circles(), TrialConfig(name, units=12, batch_size=16, extra=extra)))[-1]["val_loss"]
        for extra in ({}, {"noise": "pernodedrop"}, {"noise": "dropconnect"}, {"form": "jvp"})
    }
    assert len(searched) == (4 if name == "explicit_implicit" else 3)  # two explicit effects are the same
    schedule = TrialConfig(name, drop_rate_schedule="linear_up", drop_rate_share=1.0, units=12, batch_size=16)
    assert curves(training(Circles(), schedule))[0] != plain[0]


@pytest.mark.parametrize("backbone", ["transformer", "lstm"])
@pytest.mark.parametrize("noise", ["dropout", "pernodedrop"])
def test_backbones_train_in_half_precision_too(backbone: str, noise: str) -> None:
    config = TrialConfig("explicit_implicit", units=8, batch_size=35, extra={"noise": noise, "form": "jvp"})
    single, half = (
        curves(training(few_digits_of(backbone, precision), config, epochs=1))[0]["train_loss"]
        for precision in ("float32", "bfloat16")
    )
    assert half == pytest.approx(single, rel=0.05)


def test_a_study_compares_them() -> None:
    parse_definition(
        space(
            regularizer=categorical("dropout", *NAMES),
            noise=categorical("dropout", "pernodedrop", when={"regularizer": NAMES}),
            form=categorical("label", "jvp", when={"regularizer": ["explicit", "explicit_implicit"]}),
        )
    )
    params = {"regularizer": "explicit", "noise": "pernodedrop", "form": "jvp"}
    assert TrialConfig.from_params(params).variant == "explicit-pernodedrop-jvp"
