"""The gradient noise and the masked loss that a training measures of itself, and that it trains the same.

The curvature is measured too where the training must be the same.
"""

import copy
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmarks import implicit_effect
from pernodedrop import regularize
from search_spaces import TaskSpec, TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, few_digits_of, figures, training
from workers.tasks import Splits, Task
from workers.training import Training
from workers.training.curvature import FIGURES

CURVATURE = {"curvature_every": 1, "curvature_samples": 4, "curvature_vectors": 2}
METERS = {"mask_noise_pairs": 1, "masked_loss_draws": 2, **CURVATURE}
MEASURED = {"train_mask_noise", "train_masked_loss"} | FIGURES
RATE = 0.6
SPREAD = RATE / (1 - RATE)


class Regression(Task):
    """A dense layer alone: |y - t|^2 / 2 of five samples, all in one batch. Its many units are as many draws."""

    outputs = "squared"

    def __init__(self) -> None:
        super().__init__(TaskSpec(name="tests.tasks.test_noise_meter:Regression"), None)  # type: ignore[arg-type]

    def load(self, device: torch.device) -> Splits:
        x = torch.randn(10, 4, generator=torch.Generator().manual_seed(1))
        t = torch.randn(10, 200, generator=torch.Generator().manual_seed(2))
        return Splits(x[:5], t[:5], x[5:], t[5:])

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential()
        model.add_module("slot", nn.Linear(4, 200, bias=False))
        return model

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (outputs - targets).square().sum(1).mean()

    def metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {}


class OwnGenerators(Circles):
    """Layers with generators of their own, which no random state of torch holds."""

    def build(self, config: TrialConfig) -> nn.Module:
        model = nn.Sequential(nn.Linear(10, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        regularize(model, config.regularizer, "3", generator=torch.Generator().manual_seed(7))
        return model


@pytest.mark.filterwarnings("ignore:no plain nn.Linear:FutureWarning")
@pytest.mark.parametrize(
    "task, config",
    [
        (few_digits_of("mlp"), TrialConfig("pernodedrop", extra={"mask_groups": 4})),
        (few_digits_of("resnet"), TrialConfig("dropout")),
        (few_digits_of("mlp"), TrialConfig("masksembles")),
        (few_digits_of("mlp"), TrialConfig("r_drop", drop_rate_schedule="linear_down")),
        (few_digits_of("mlp", "bfloat16"), TrialConfig("dropconnect")),
        (OwnGenerators(), TrialConfig("pernodedrop", "gaussian")),
    ],
)
def test_measuring_changes_no_training_and_resumes_with_it(task: Task, config: TrialConfig) -> None:
    config = replace(config, batch_size=32)
    plain = [figures(epoch) for epoch in training(task, config, epochs=2).epochs()]
    is_slow = task.spec.options.get("backbone") == "resnet"
    meters = METERS | ({"curvature_every": 0} if is_slow else {})
    measuring = replace(config, **meters)  # type: ignore[arg-type]
    run = training(task, measuring, epochs=2)
    first = figures(next(run.epochs()))
    resumed = training(task, measuring, epochs=2, seed=4)
    resumed.load_state_dict(copy.deepcopy(run.state_dict()))
    if not isinstance(task, OwnGenerators):  # whose generators a checkpoint does not hold
        assert [figures(epoch) for epoch in run.epochs()] == [figures(epoch) for epoch in resumed.epochs()]
        run = training(task, measuring, epochs=2)
        first = figures(next(run.epochs()))
    measured = [first, *(figures(epoch) for epoch in run.epochs())]
    assert [{name: each[name] for name in each if name not in MEASURED} for each in measured] == plain
    assert all(each.keys() >= MEASURED - (FIGURES if is_slow else set()) for each in measured)
    assert not run.model.training


def run_of(regularizer: str, **extra: float | str) -> Training:
    """A training before its first step."""
    config = TrialConfig(regularizer, drop_rate=RATE, batch_size=5, extra=extra)
    return Training(Regression(), config, epochs=1, seed=3, device=CPU)


def measured(run: Training) -> tuple[float, float]:
    found = run.noise(pairs=200, draws=200)
    return found["train_mask_noise"], found["train_masked_loss"]


def predicted(run: Training) -> tuple[Tensor, Tensor]:
    """tr Cov of the gradient with each sample's own Bernoulli mask, and the expected loss."""
    data = run._splits
    assert isinstance(data.train_x, Tensor)
    (weight,) = (parameter.detach() for parameter in run.model.parameters())
    a, e = data.train_x[:, None] * weight, data.train_x @ weight.T - data.train_y
    n, c, s2 = (a**2).sum(-1, keepdim=True), e[..., None], SPREAD
    third, fourth = s2 * (s2 - 1), s2 * (s2**2 - s2 + 1)
    each = s2 * (c + a) ** 2 + a**2 * (fourth - s2**2) + 2 * a * (c + a) * third + s2 * (1 + s2) * (n - a**2)
    return (data.train_x[:, None] ** 2 * each).sum() / 25, 0.5 * ((e**2).sum() + s2 * n.sum()) / 5


def test_the_figures_are_those_of_the_formulas() -> None:
    """Within 15 and 4.5 %: four standard errors of the draws of Dropout, whose units share their noise."""
    own, one, dropout = run_of("pernodedrop"), run_of("pernodedrop", mask_groups=1), run_of("dropout")
    noise, loss = predicted(own)
    for run in (own, one, dropout):
        found = measured(run)
        assert found[1] == pytest.approx(loss.item(), rel=0.045)
        if run is one:
            assert found[0] > 1.25 * noise
        else:
            assert found[0] == pytest.approx(noise.item(), rel=0.15)


def test_it_is_the_noise_of_the_step_that_the_regularizer_takes() -> None:
    """R-Drop without its weight takes the mean of two passes."""
    found = measured(run_of("r_drop", alpha=0.0))
    noise, loss = predicted(run_of("dropout"))
    assert found == (pytest.approx(noise.item() / 2, rel=0.15), pytest.approx(loss.item(), rel=0.045))


@pytest.mark.parametrize("regularizer", ["none", "masksembles"])
def test_without_noise_it_is_zero_and_the_loss_the_training_loss(regularizer: str) -> None:
    config = TrialConfig(regularizer, batch_size=32, **METERS)  # type: ignore[arg-type]
    *_, last = training(few_digits_of("mlp"), config).epochs()
    assert last.metrics["train_mask_noise"] == 0.0
    if regularizer == "none":
        assert last.metrics["train_masked_loss"] == pytest.approx(last.metrics["train_loss"], rel=1e-5)


def test_the_experiment_of_the_preset_prints_every_arm(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [
        "--train-size",
        "20",
        "--val-size",
        "40",
        "--epochs",
        "2",
        "--repeats",
        "2",
        "--pairs",
        "1",
        "--draws",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", ["implicit_effect", *sizes])
    implicit_effect.main()
    rows = [row.split(" | ") for row in capsys.readouterr().out.splitlines()]
    assert [row[1].rpartition("-")[2] for row in rows[2:]] == [
        "none",
        *2
        * [
            *("groups1", "groups4", "groups16", "groups50"),
            *("k4", "added_none", "added_masks", "added_shared_masks", "added_isotropic", "k16"),
        ],
    ]
    assert len({len(row) for row in rows}) == 1
