import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from workers.tasks.metrics import calibration_error, multi_label, single_label


def logits(*probabilities: float) -> list[float]:
    return [float(np.log(p)) for p in probabilities]


def test_single_label_figures_by_hand() -> None:
    outputs = torch.tensor([logits(0.8, 0.1, 0.1), logits(0.3, 0.6, 0.1), logits(0.2, 0.2, 0.6)])
    figures = single_label(outputs, torch.tensor([0, 0, 2]))
    assert figures["accuracy"].item() == pytest.approx(2 / 3)
    # one bin for 0.8, one for the two of 0.6, one of which is wrong
    assert figures["ece"].item() == pytest.approx((0.2 + abs(1 - 1.2)) / 3, abs=1e-6)
    distances = (0.2**2 + 2 * 0.1**2) + (0.7**2 + 0.6**2 + 0.1**2) + (2 * 0.2**2 + 0.4**2)
    assert figures["brier"].item() == pytest.approx(distances / 3, abs=1e-6)


def test_multi_label_figures_by_hand() -> None:
    outputs = torch.tensor([[2.0, 1.0, -1.0], [-1.0, -2.0, -3.0], [1.0, 2.0, 3.0]])
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    figures = multi_label(outputs, targets)
    # the largest output against the first target: 0 and 0; 0 and, where there is no target, 0; 2 and 1
    assert figures["accuracy"].item() == pytest.approx(2 / 3)
    assert figures["micro_f1"].item() == pytest.approx(2 * 3 / (5 + 4))
    squares = ((outputs.sigmoid() - targets) ** 2).mean().item()
    assert figures["brier"].item() == pytest.approx(squares, rel=1e-6)


def test_micro_f1_of_nothing_found_and_nothing_true_is_zero() -> None:
    assert multi_label(torch.full((2, 3), -1.0), torch.zeros(2, 3))["micro_f1"].item() == 0.0


@given(st.integers(0, 10_000), st.integers(1, 200))
def test_micro_f1_is_scikit_learns(seed: int, documents: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(documents, 5, generator=generator)
    targets = (torch.rand(documents, 5, generator=generator) < 0.3).float()
    expected = f1_score(targets.numpy(), (outputs > 0).numpy(), average="micro", zero_division=0)
    assert multi_label(outputs, targets)["micro_f1"].item() == pytest.approx(expected)


@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 20))
def test_calibration_error_is_the_weighted_mean_over_bins(seed: int, size: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    confidence, correct = rng.random(size), (rng.random(size) < 0.5).astype(float)
    expected = 0.0
    for k in range(bins):
        inside = (confidence > k / bins) & (confidence <= (k + 1) / bins)
        if inside.any():
            expected += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    found = calibration_error(torch.from_numpy(confidence), torch.from_numpy(correct), bins)
    assert found.item() == pytest.approx(expected, abs=1e-12)


def test_the_ends_of_the_range_have_their_bins() -> None:
    certain = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert calibration_error(certain, torch.tensor([0.0, 1.0], dtype=torch.float64)).item() == 0.0
    assert calibration_error(certain, torch.tensor([1.0, 0.0], dtype=torch.float64)).item() == 1.0


def test_outputs_that_are_no_numbers_give_figures_that_are_none() -> None:
    figures = single_label(torch.full((2, 3), float("nan")), torch.tensor([0, 1]))
    assert torch.isnan(figures["brier"])
