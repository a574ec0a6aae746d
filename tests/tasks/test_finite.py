"""Data that hold nan or infinite numbers are named, where a loss becomes nan and where a study is checked."""

from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

from search_spaces import TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, training
from workers.tasks import SparseRows, Splits, Streamed
from workers.tasks.finite import not_finite
from workers.training import NonFiniteLoss

NAN, INF = float("nan"), float("inf")
X, Y = torch.zeros(5, 3), torch.zeros(5)
REMEDY = "mend the data, or mask them in the model and the loss"


def spoiled(x: torch.Tensor, place: Any, value: float) -> torch.Tensor:
    x = x.clone()
    x[place] = value
    return x


def test_finite_data_are_passed_over() -> None:
    rows = SparseRows(torch.tensor([0]).int(), torch.ones(1), torch.tensor([0, 0, 1, 1, 1, 1]).int())
    assert not list(not_finite(Splits(X, Y, {"a": X, "b": Y.long()}, Y.long(), rows, Y.bool())))
    assert not list(not_finite(Splits(torch.zeros(5, 0), Y, X.half(), Y.bfloat16())))
    assert not list(not_finite(Splits(Streamed(TensorDataset(spoiled(X, 0, NAN)), CPU), Y, X, Y)))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_what_holds_them_is_named(value: float) -> None:
    rows = SparseRows(torch.tensor([0, 1]).int(), torch.tensor([value, value]), torch.tensor([0, 0, 2, 2, 2, 2]).int())
    data = Splits(spoiled(X, [1, 3], value), Y, {"a": X, "b": spoiled(X, 2, value)}, spoiled(Y, 0, value), rows, Y)
    rule = "hold nan or infinite numbers in"
    assert list(not_finite(data)) == [
        f"the train inputs {rule} 2 samples of 5",
        f"the val inputs {rule} 1 sample of 5",
        f"the val targets {rule} 1 sample of 5",
        f"the test inputs {rule} 1 sample of 5",
    ]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("split", "loss"), [("train", "training loss"), ("val", "val_loss")])
def test_a_loss_that_becomes_nan_by_the_data_says_so(split: str, loss: str, streamed: bool) -> None:
    class Spoiled(Circles):
        def load(self, device: torch.device) -> Splits:
            data = super().load(device)
            getattr(data, f"{split}_x")[3, 2] = NAN
            if streamed:
                data = Splits(
                    *(Streamed(data.train_x.numpy(), device), data.train_y),
                    *(Streamed(data.val_x.numpy(), device), data.val_y),
                )
            return data

    task = Spoiled()
    size = len(getattr(task.splits(CPU), f"{split}_x"))
    with pytest.raises(NonFiniteLoss, match=f"^{loss} became nan in epoch 1") as error:
        curves(training(task, TrialConfig(units=12)))
    said = f"most likely because the {split} inputs hold nan or infinite numbers in 1 sample of {size}: {REMEDY}"
    assert str(error.value).endswith(f"(learning_rate 0.001): {said}")


def test_a_training_that_diverges_on_finite_data_is_told_to_slow_down() -> None:
    with pytest.raises(NonFiniteLoss, match=r"lower the learning rate$"):
        curves(training(Circles(), TrialConfig(units=12, learning_rate=1e38, optimizer="sgd")))
