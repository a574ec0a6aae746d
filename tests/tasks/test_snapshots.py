"""Snapshot ensembles: the learning rate of torch's warm restarts, and the mean prediction of the cycles' ends."""

import copy

import pytest
import torch
from torch import Tensor, nn

from search_spaces import TrialConfig
from search_spaces.objective import Objective
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, figures, training
from workers.tasks import Seams
from workers.training import schedules

CONFIG = TrialConfig("dropout", units=12, batch_size=16, learning_rate_schedule="snapshot", learning_rate_cycles=2)


@pytest.mark.parametrize("steps, cycles", [(40, 4), (43, 4), (30, 7), (5, 5)])
def test_the_learning_rate_is_that_of_torchs_warm_restarts(steps: int, cycles: int) -> None:
    config = TrialConfig(learning_rate=0.1, learning_rate_schedule="snapshot", learning_rate_cycles=cycles)
    schedule = schedules.learning_rate(config, steps)
    assert schedule is not None
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=-(-steps // cycles))
    for step in range(steps):
        assert schedule(step / steps) == optimizer.param_groups[0]["lr"]  # to the last bit
        optimizer.step()
        theirs.step()


def test_a_warm_up_is_a_factor_of_the_first_cycle() -> None:
    config = TrialConfig(learning_rate_schedule="snapshot", learning_rate_cycles=2, warmup=0.1)
    warmed = schedules.learning_rate(config, 40)
    plain = schedules.learning_rate(TrialConfig(learning_rate_schedule="snapshot", learning_rate_cycles=2), 40)
    assert warmed is not None and plain is not None
    assert [warmed(step / 40) / plain(step / 40) for step in (0, 2, 4, 20)] == pytest.approx([0.0, 0.5, 1.0, 1.0])


def mean_loss(states: list[dict[str, Tensor]], x: Tensor, y: Tensor) -> float:
    model = training(Circles(), CONFIG).model.eval()
    probabilities = []
    for state in states:
        model.load_state_dict(state)
        with torch.no_grad():
            probabilities.append(model(x).softmax(-1))
    return nn.functional.nll_loss(torch.stack(probabilities).mean(0).log(), y).item()


def test_the_ends_of_the_cycles_predict_together() -> None:
    """Four epochs, two cycles: until the first ends the model is alone."""
    task = Circles()
    run = training(task, CONFIG, epochs=4)
    found, states = [], []
    for epoch in run.epochs():
        found.append(figures(epoch))
        states.append(copy.deepcopy(run.model.state_dict()))
    data = task.splits(CPU)
    assert found[0]["val_loss_snapshots"] == found[0]["val_loss"]
    assert found[1]["val_loss_snapshots"] == found[2]["val_loss_snapshots"] == found[1]["val_loss"]
    assert found[2]["val_loss"] != found[1]["val_loss"]
    expected = mean_loss([states[1], states[3]], data.val_x, data.val_y)
    assert found[3]["val_loss_snapshots"] == pytest.approx(expected, rel=1e-6)
    assert found[3]["val_loss_snapshots"] <= (found[1]["val_loss"] + found[3]["val_loss"]) / 2 + 1e-9  # Jensen
    assert {"train_accuracy_snapshots", "val_ece_snapshots"} <= set(found[0])


def test_the_ensemble_changes_nothing_of_the_training() -> None:
    schedule = schedules.learning_rate(CONFIG, 16)
    assert schedule is not None

    class Scheduled(Circles):
        def seams(self, config: TrialConfig) -> Seams:
            return Seams(schedules={"learning_rate": schedule})

    alone = curves(training(Scheduled(), TrialConfig("dropout", units=12, batch_size=16), epochs=4))
    found = curves(training(Circles(), CONFIG, epochs=4))
    assert [{name: epoch[name] for name in alone[0]} for epoch in found] == alone


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("regularizer", ["dropout", "masksembles"])
def test_a_checkpoint_has_the_snapshots(after: int, regularizer: str) -> None:
    config = TrialConfig(**{**vars(CONFIG), "regularizer": regularizer})
    expected = curves(training(Circles(), config, epochs=4))
    broken = training(Circles(), config, epochs=4)
    epochs = broken.epochs()
    first = [figures(next(epochs)) for _ in range(after)]
    state = copy.deepcopy(broken.state_dict())
    assert len(state["snapshots"]) == after // 2
    next(epochs)
    resumed = training(Circles(), config, epochs=4, seed=4)
    resumed.load_state_dict(state)
    assert [*first, *curves(resumed)] == expected


def test_snapshots_that_do_not_fit_are_refused() -> None:
    run = training(Circles(), CONFIG, epochs=4)
    next(run.epochs())
    kept = run.state_dict()
    with pytest.raises(ValueError, match="1 snapshots do not fit 4 steps, which end 0 cycles"):
        training(Circles(), CONFIG, epochs=4).load_state_dict({**kept, "snapshots": [kept["model"]]})
    with pytest.raises(KeyError, match="snapshots"):
        training(Circles(), CONFIG, epochs=4).load_state_dict({**kept, "snapshots": [{}]})
    assert "snapshots" not in training(Circles(), TrialConfig(units=12)).state_dict()


def test_a_task_without_a_mean_of_predictions_is_refused() -> None:
    class Own(Circles):
        def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return 2.0 * nn.functional.cross_entropy(outputs, targets)

    with pytest.raises(ValueError, match=r"snapshot predicts by several models, .* in its method combined"):
        training(Own(), CONFIG)


def test_an_objective_of_the_ensemble_ranks_models_without_one_too() -> None:
    objective = Objective(metric="val_loss_snapshots")
    assert objective.of({"val_loss": 0.5, "val_loss_snapshots": 0.4}) == 0.4
    assert objective.of({"val_loss": 0.5}) == 0.5
