"""Noise in the gradient: its law, and what it leaves alone."""

import pytest
import torch
from torch import nn

from pernodedrop import regularize
from search_spaces import TrialConfig
from tests.layers.evidence import assert_mean
from tests.tasks.trainings import curves, few_digits_of, training


def config(eta: float, **changes: object) -> TrialConfig:
    return TrialConfig("gradient_noise", batch_size=32, extra={"eta": eta}, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0, 9, 999])
def test_every_number_gets_noise_whose_variance_decays(step: int) -> None:
    torch.manual_seed(step)
    noise = regularize(nn.Sequential(), "gradient_noise", options={"eta": 0.3}).gradient_noise
    assert noise is not None
    weight, frozen = nn.Parameter(torch.zeros(300, 400)), nn.Parameter(torch.zeros(3))
    weight.grad = torch.full_like(weight, 2.0)
    noise([weight, frozen], step)
    added = weight.grad - 2.0
    assert_mean(added.flatten(), 0.0)
    assert_mean(added.flatten() ** 2, 0.3 / (1 + step) ** 0.55)
    assert_mean(added[:, 0] * added[:, 1], 0.0)
    assert frozen.grad is None


def test_the_loss_of_a_step_is_untouched_and_eta_zero_is_none() -> None:
    task = few_digits_of("paper")
    whole = {"batch_size": 70}
    plain = curves(training(task, TrialConfig(**whole)))
    noisy = curves(training(task, TrialConfig("gradient_noise", extra={"eta": 0.3}, **whole)))
    assert noisy[0]["train_step_loss"] == plain[0]["train_step_loss"]  # one step an epoch
    assert noisy[0]["val_loss"] != plain[0]["val_loss"]
    assert curves(training(task, TrialConfig("gradient_noise", extra={"eta": 0.0}, **whole))) == plain


def test_a_clipped_gradient_is_clipped_with_its_noise() -> None:
    found = curves(training(few_digits_of("paper"), config(1.0, gradient_clip=0.5)))
    assert all(epoch["train_gradient_norm"] <= 0.5001 for epoch in found)


def test_what_it_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"eta must be finite and at least 0, got -1.0"):
        training(few_digits_of("paper"), config(-1.0))
    with pytest.raises(ValueError, match=r"drop_rate_schedule must be constant .*: gradient_noise has no drop rate"):
        training(few_digits_of("paper"), config(0.1, drop_rate_schedule="linear_up"))
