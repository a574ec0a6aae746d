"""The seams of the training loop, each by a task that uses it."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from pernodedrop import Masksembles
from pernodedrop.masksembles import ensemble_predict
from search_spaces import TaskSpec, TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, few_digits_of, figures, training
from workers.tasks import Seams, Task
from workers.tasks.rcv1 import Rcv1
from workers.training.evaluation import outputs_of
from workers.training.figures import UnusableFigure

PLAIN = TrialConfig(units=12, batch_size=16)


def with_seams(seams: Seams) -> Task:
    class Changed(Circles):
        def seams(self, config: TrialConfig) -> Seams:
            return seams

    return Changed()


def two_passes(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return (nn.functional.cross_entropy(model(x), y) + nn.functional.cross_entropy(model(x), y)) / 2


def test_an_objective_of_one_pass_trains_what_the_loss_trains() -> None:
    task = with_seams(Seams(objective=lambda model, x, y: nn.functional.cross_entropy(model(x), y)))
    assert curves(training(task, PLAIN)) == curves(training(Circles(), PLAIN))


def test_an_objective_sees_the_model_and_calls_it_as_often_as_it_likes() -> None:
    noisy = TrialConfig("dropout", units=12, batch_size=16)
    found = curves(training(with_seams(Seams(objective=two_passes)), noisy))
    assert found != curves(training(Circles(), noisy))
    assert found == curves(training(with_seams(Seams(objective=two_passes)), noisy))


def test_a_penalty_sees_model_batch_and_outputs_and_is_added_to_the_loss() -> None:
    seen = []

    def penalty(model: nn.Module, x: Tensor, outputs: Tensor) -> Tensor:
        seen.append((len(list(model.parameters())), tuple(x.shape), tuple(outputs.shape)))
        return torch.tensor(7.0) + 0.0 * outputs.sum()

    found = curves(training(with_seams(Seams(penalty=penalty)), PLAIN))
    plain = curves(training(Circles(), PLAIN))
    assert found[0]["train_step_loss"] == pytest.approx(plain[0]["train_step_loss"] + 7.0)
    assert found[1]["val_loss"] == plain[1]["val_loss"]  # its gradient is 0
    assert seen == [(8, (16, 10), (16, 2))] * 8


def test_gradient_noise_changes_the_step_of_its_number_and_repeats() -> None:
    numbers = []

    def noise(model: nn.Module, number: int) -> None:
        numbers.append(number)
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.grad += 0.1 * torch.randn_like(parameter) / (1 + number) ** 0.55

    task = with_seams(Seams(gradient_noise=noise))
    found = curves(training(task, PLAIN))
    assert numbers == list(range(8))
    assert found == curves(training(task, PLAIN))
    assert found[1]["val_loss"] != curves(training(Circles(), PLAIN))[1]["val_loss"]


@pytest.mark.parametrize("name", ["learning_rate", "gradient_clip", "label_smoothing", "drop_rate"])
def test_any_number_may_follow_a_schedule(name: str) -> None:
    shares = []

    def schedule(done: float) -> float:
        shares.append(done)
        return 0.01 + 0.3 * done

    config = TrialConfig("dropout", units=12, batch_size=16)
    found = curves(training(with_seams(Seams(schedules={name: schedule})), config))
    assert shares == pytest.approx([0.0, *(step / 8 for step in range(8))])
    assert found[1] != curves(training(Circles(), config))[1]


def test_what_cannot_be_scheduled_is_refused_before_the_first_step() -> None:
    with pytest.raises(ValueError, match=r"a schedule must be of learning_rate, .*, got 'units'"):
        training(with_seams(Seams(schedules={"units": lambda done: done})), PLAIN)
    with pytest.raises(ValueError, match="Adam has no momentum to set"):
        training(with_seams(Seams(schedules={"momentum": lambda done: done})), PLAIN)
    with pytest.raises(ValueError, match="must give an objective or a penalty, got both"):
        Seams(objective=two_passes, penalty=lambda model, x, outputs: outputs.sum())


class Tabu(nn.Module):
    """Drops no unit twice in a row: what it dropped last is state of its mask, kept in a buffer."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.register_buffer("dropped", torch.zeros(features, dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        drawn = (torch.rand(x.shape[-1]) < 0.4) & ~self.dropped
        self.dropped.copy_(drawn)
        return x * ~drawn


def test_the_state_of_a_mask_is_in_the_checkpoint_and_goes_on_bit_for_bit() -> None:
    class Stateful(Circles):
        def build(self, config: TrialConfig) -> nn.Module:
            model = super().build(config)
            model.insert(2, Tabu(config.units))  # type: ignore[operator]
            return model

    expected = curves(training(Stateful(), PLAIN, epochs=3))
    broken = training(Stateful(), PLAIN, epochs=3)
    first = figures(next(broken.epochs()))
    state = copy.deepcopy(broken.state_dict())
    assert state["model"]["2.dropped"].any()
    resumed = training(Stateful(), PLAIN, epochs=3, seed=4)
    resumed.load_state_dict(state)
    assert [first, *curves(resumed)] == expected


@pytest.mark.parametrize("backbone", ["paper", "transformer", "lstm"])
def test_masksembles_is_judged_by_all_its_masks(backbone: str) -> None:
    task, config = few_digits_of(backbone), TrialConfig("masksembles", batch_size=32)
    run = training(task, config)
    *_, last = run.epochs()
    data = task.splits(CPU)
    model = run.model.eval()
    with torch.no_grad():
        x, y = data.val_x, data.val_y
        mean = ensemble_predict(lambda tiled: model(tiled).softmax(-1), x)
        loss = nn.functional.nll_loss(mean.log(), y)
        accuracy = (mean.argmax(-1) == y).double().mean()
        one_mask = nn.functional.cross_entropy(outputs_of(task, model, x)[0], y)
    assert last.metrics["val_loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert last.metrics["val_accuracy"] == pytest.approx(accuracy.item())
    assert last.metrics["val_loss_one_mask"] == pytest.approx(one_mask.item(), rel=1e-6)
    assert last.metrics["val_loss"] <= _mean_over_masks(model, x, y) + 1e-9  # Jensen
    assert {"val_brier_one_mask", "train_loss_one_mask"} <= set(last.metrics)
    assert all(module.only is None for module in model.modules() if isinstance(module, Masksembles))


def test_what_runs_before_the_masks_is_computed_once() -> None:
    task = few_digits_of("paper")
    run = training(task, TrialConfig("masksembles", batch_size=32))
    calls = {"features": 0, "slot": 0}

    def count(name: str) -> None:
        calls[name] += 1

    for name in calls:
        run.model.get_submodule(name).register_forward_hook(lambda *_, name=name: count(name))
    run.test()
    assert calls["slot"] == 5 * calls["features"] > 0


def _mean_over_masks(model: nn.Module, x: Tensor, y: Tensor) -> float:
    masks = [module for module in model.modules() if isinstance(module, Masksembles)]
    losses = []
    with torch.no_grad():
        for number in range(len(masks[0].masks)):
            for module in masks:
                module.only = number
            losses.append(nn.functional.cross_entropy(model(x), y).item())
    for module in masks:
        module.only = None
    return sum(losses) / len(losses)


def test_the_other_variants_are_judged_by_one_pass() -> None:
    run = training(few_digits_of("paper"), TrialConfig("dropout", batch_size=32))
    assert not [name for epoch in run.epochs() for name in epoch.metrics if name.endswith("_one_mask")]


def test_the_mean_of_sigmoids_is_that_of_probabilities() -> None:
    outputs = 5 * torch.randn(4, 6, 3, dtype=torch.float64)
    task = Rcv1(TaskSpec(name="rcv1"), None)  # type: ignore[arg-type]
    torch.testing.assert_close(task.combined(outputs).sigmoid(), outputs.sigmoid().mean(0))
    targets = (torch.rand(6, 3) < 0.5).double()
    smooth = task.smoothed_loss(outputs[0], targets, 0.2)
    torch.testing.assert_close(smooth, task.loss(outputs[0], targets * 0.8 + 0.1))


def test_the_mean_of_softmaxes_is_that_of_probabilities() -> None:
    outputs = 5 * torch.randn(4, 6, 3)
    torch.testing.assert_close(Circles().combined(outputs).softmax(-1), outputs.softmax(-1).mean(0))


def test_a_task_with_a_loss_of_its_own_is_judged_by_one_mask_until_it_says_more() -> None:
    class Own(Circles):
        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return 2.0 * nn.functional.cross_entropy(outputs, targets)

    class Said(Own):
        def combined(self, outputs: Tensor) -> Tensor:
            return outputs.softmax(-1).mean(0).log()

    config = TrialConfig("masksembles", units=12, batch_size=16)
    with pytest.warns(FutureWarning, match="no method `combined`: the model is judged by one pass instead of 4"):
        single = curves(training(Own(), config))
    several = curves(training(Said(), config))
    assert [epoch["val_loss"] for epoch in single] == [epoch["val_loss_one_mask"] for epoch in several]
    assert all(math.isfinite(epoch["val_loss"]) for epoch in several)


def test_metrics_of_the_model_are_recorded_for_each_split() -> None:
    class Measured(Circles):
        def model_metrics(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
            assert not model.training
            return {"largest": model(inputs).abs().max(), "samples": torch.tensor(len(inputs))}

    found, plain = curves(training(Measured(), PLAIN)), curves(training(Circles(), PLAIN))
    assert [(epoch["train_samples"], epoch["val_samples"]) for epoch in found] == [(64.0, 32.0)] * 2
    assert found[0].keys() - plain[0].keys() == {"train_largest", "val_largest", "train_samples", "val_samples"}
    assert [epoch["val_loss"] for epoch in found] == [epoch["val_loss"] for epoch in plain]

    class Broken(Circles):
        def model_metrics(self, model: nn.Module, inputs: Tensor) -> dict[str, Tensor]:
            return [1.0]  # type: ignore[return-value]

    with pytest.raises(UnusableFigure, match=r"model_metrics of task .* must return numbers by name, got list"):
        curves(training(Broken(), PLAIN))
