"""The curvature that a training measures of itself, and when. That it trains the same: test_noise_meter."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from tests.methods.test_hessian import Sine
from tests.tasks.test_noise_meter import Regression, predicted, run_of
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, few_digits_of, training
from tests.workers.test_checkpoints import figures, order, reports
from workers.training import Training
from workers.training.curvature import FIGURES


class Cold(Circles):
    """A model with a function that has no second derivative."""

    def build(self, config: TrialConfig) -> nn.Module:
        return nn.Sequential(nn.Linear(10, 4), Sine(), nn.Linear(4, 2))


class Labels(Circles):
    """Two labels for every point, of the sparse kind: a loss of its own over outputs (B, 2)."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        wanted = torch.stack([targets, 1 - targets], 1).float()
        return nn.functional.binary_cross_entropy_with_logits(outputs, wanted)


@pytest.mark.parametrize(
    "epochs, every, measured", [(3, 0, []), (3, 1, [1, 2, 3]), (3, 2, [2, 3]), (4, 2, [2, 4]), (2, 9, [2])]
)
def test_it_is_measured_after_every_so_many_epochs_and_after_the_last(
    epochs: int, every: int, measured: list[int]
) -> None:
    config = TrialConfig(units=8, batch_size=32, curvature_every=every, curvature_samples=4, curvature_vectors=2)
    found = list(training(few_digits_of("mlp"), config, epochs=epochs).epochs())
    assert [epoch.number for epoch in found if epoch.metrics.keys() & FIGURES] == measured
    assert [epoch.number for epoch in found if epoch.metrics.keys() >= FIGURES] == measured


def test_the_figures_of_a_regression_are_those_of_its_inputs() -> None:
    """Each of the 200 outputs has the Hessian X^T X / N in its weights; a step takes all samples."""
    run = run_of("pernodedrop")
    x = run._splits.train_x
    assert isinstance(x, Tensor)
    scatter = x.T @ x / len(x)
    (weight,) = run.model.parameters()
    found = run.curvature(samples=512, vectors=150)
    trace, weighted = 200 * scatter.trace(), (weight.detach() ** 2 @ scatter.diag()).sum()
    for figure, exact in (("train_hessian_trace", trace), ("train_weighted_hessian", weighted)):
        assert abs(found[figure] - exact) < 4 * found[f"{figure}_error"] < 0.05 * exact
    assert found["train_hessian_top"] == pytest.approx(torch.linalg.eigvalsh(scatter)[-1].item(), rel=1e-3)
    noise, _ = predicted(run)
    assert found["train_gradient_noise"] == pytest.approx(noise.item(), rel=0.15)  # four standard errors, as there
    slope = (x.T @ (x @ weight.T - run._splits.train_y) / len(x) + torch.diag(scatter.diag()) * 1.5 @ weight.T).square()
    assert found["train_mean_gradient_square"] == pytest.approx(slope.sum().item(), rel=0.05)


def test_without_noise_the_samples_of_a_batch_are_what_varies() -> None:
    """Batches of B of N samples, without replacement: tr Cov = (1 / B - 1 / N) times the samples' variance."""
    config = TrialConfig("none", batch_size=2)
    run = Training(Regression(), config, epochs=1, seed=3, device=CPU)
    x, t = run._splits.train_x, run._splits.train_y
    assert isinstance(x, Tensor)
    (weight,) = run.model.parameters()
    each = (x @ weight.detach().T - t)[:, :, None] * x[:, None]  # sample, output, input
    variance = (1 / 2 - 1 / 5) * each.flatten(1).var(0).sum()
    found = run.curvature(samples=512, vectors=150)
    assert found["train_gradient_noise"] == pytest.approx(variance.item(), rel=0.15)
    assert found["train_mean_gradient_square"] == pytest.approx(each.mean(0).square().sum().item(), rel=0.1)


def test_labels_of_an_own_loss_are_measured_and_a_part_is_the_same_for_every_arm() -> None:
    runs = [training(Labels(), TrialConfig(name, batch_size=32)) for name in ("none", "dropout")]
    one, other = (run.curvature(samples=20, vectors=3) for run in runs)
    same = {name for name in one if "hessian" in name}  # equal weights, no noise in evaluation, the same signs
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert one["train_gradient_noise"] > 0.0 < other["train_gradient_noise"]
    assert one["train_hessian_top"] > one["train_hessian_bottom"]


def test_epochs_with_and_without_it_are_one_training_that_resumes(tmp_path: Path) -> None:
    config = TrialConfig("dropout", units=8, curvature_every=2, curvature_samples=4, curvature_vectors=2)
    whole, broken = list(reports(order(config, tmp_path / "whole"))), order(config, tmp_path)
    list(reports(broken, leave_after=1))
    assert figures(list(reports(replace(broken, token=2)))) == figures(whole)
    assert [epoch for _, epoch, metrics in figures(whole) if metrics.keys() >= FIGURES] == [2, 2]


def test_a_model_without_second_derivatives_is_refused_before_its_first_step() -> None:
    with pytest.raises(ValueError, match="second derivatives, and module '1', a Sine, has none"):
        training(Cold(), TrialConfig(curvature_every=100))
    training(Cold(), TrialConfig())
