"""Mixed precision: the same training with narrower layers."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from search_spaces import Precision, TaskSpec, TrialConfig
from tests.tasks.trainings import VARIANTS, curves, figures, training
from workers.tasks import Task, load_task
from workers.tasks.backbones import BACKBONES

backbones = pytest.mark.parametrize("backbone", BACKBONES)
variants = pytest.mark.parametrize("config", VARIANTS, ids=lambda config: config.variant)


def few_digits(backbone: str, precision: Precision) -> Task:
    options = {"val_size": 40, "backbone": backbone}
    return load_task(TaskSpec(name="digits", train_size=70, precision=precision, options=options), Path())


@backbones
@variants
def test_trains_repeats_and_resumes_bit_for_bit(backbone: str, config: TrialConfig) -> None:
    task = few_digits(backbone, "bfloat16")
    expected = curves(training(task, config))
    broken = training(task, config)
    first = figures(next(broken.epochs()))
    resumed = training(task, config, seed=4)
    resumed.load_state_dict(copy.deepcopy(broken.state_dict()))
    assert [first, *curves(resumed)] == expected
    assert expected[1]["train_loss"] < expected[0]["train_loss"]


@backbones
@variants
def test_rate_zero_is_no_regularizer(backbone: str, config: TrialConfig) -> None:
    task, plain = few_digits(backbone, "bfloat16"), TrialConfig(regularizer="none", batch_size=32)
    assert curves(training(task, replace(config, drop_rate=0.0))) == curves(training(task, plain))


@backbones
def test_follows_single_precision_closely_but_is_not_it(backbone: str) -> None:
    plain = TrialConfig(regularizer="none", batch_size=32)
    single, mixed = (curves(training(few_digits(backbone, name), plain))[-1] for name in ("float32", "bfloat16"))
    assert mixed["val_loss"] != single["val_loss"]
    assert mixed["val_loss"] == pytest.approx(single["val_loss"], rel=0.03)


@backbones
def test_what_is_learned_stays_in_single_precision(backbone: str) -> None:
    trained = training(few_digits(backbone, "bfloat16"), TrialConfig(regularizer="pernodedrop", batch_size=32))
    next(trained.epochs())
    for parameter in trained.model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
