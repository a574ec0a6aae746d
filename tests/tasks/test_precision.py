"""Mixed precision: the same training with narrower layers; `test_backbones.py` has what holds in every precision."""

import pytest
import torch

from search_spaces import TrialConfig
from tests.tasks.trainings import curves, few_digits_of, training
from workers.tasks.backbones import BACKBONES

backbones = pytest.mark.parametrize("backbone", BACKBONES)


@backbones
def test_follows_single_precision_closely_but_is_not_it(backbone: str) -> None:
    plain = TrialConfig(regularizer="none", batch_size=32)
    single, mixed = (curves(training(few_digits_of(backbone, name), plain))[-1] for name in ("float32", "bfloat16"))
    assert mixed["val_loss"] != single["val_loss"]
    assert mixed["val_loss"] == pytest.approx(single["val_loss"], rel=0.03)


@backbones
def test_what_is_learned_stays_in_single_precision(backbone: str) -> None:
    trained = training(few_digits_of(backbone, "bfloat16"), TrialConfig(regularizer="pernodedrop", batch_size=32))
    next(trained.epochs())
    for parameter in trained.model.parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None
        assert parameter.grad.dtype == torch.float32
