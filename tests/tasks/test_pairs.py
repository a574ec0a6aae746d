"""Splits whose inputs and targets do not belong together are refused, whatever the inputs are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from search_spaces import TrialConfig
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, training
from workers.tasks import Division, InputSet, InvalidInputs, SparseRows, Splits, Streamed

X, Y = torch.zeros(5, 3), torch.zeros(5, dtype=torch.long)
ROWS = torch.zeros(6, dtype=torch.int32)
KINDS: dict[str, Callable[[], Any]] = {
    "tensor": lambda: X,
    "dictionary": lambda: {"a": X, "b": X},
    "sparse": lambda: SparseRows(ROWS[:0], X[:0, 0], ROWS),
    "streamed": lambda: Streamed(TensorDataset(X), CPU),
}


def refused(*parts: Any) -> str:
    with pytest.raises(InvalidInputs) as error:
        Splits(*parts)
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("targets", [1, 4, 6])
def test_every_sample_has_one_target(kind: str, split: str, targets: int) -> None:
    parts = {f"{name}_{each}": made for name in ("train", "val", "test") for each, made in (("x", X), ("y", Y))}
    parts |= {f"{split}_x": KINDS[kind](), f"{split}_y": torch.zeros(targets)}
    assert refused(*parts.values()) == (
        f"{split}_y of Splits must have the 5 samples of {split}_x, got {targets}: give one target for each sample, in "
        "the same order"
    )


@pytest.mark.parametrize(("place", "name"), [(0, "train"), (2, "val")])
def test_a_split_has_a_sample(place: int, name: str) -> None:
    parts = [X, Y, X, Y]
    parts[place : place + 2] = X[:0], Y[:0]
    assert refused(*parts) == f"{name}_x of Splits must have at least one sample, got none: give it some"


def test_an_empty_test_split_is_left_out() -> None:
    rule = "test_x of Splits must have at least one sample, got none"
    assert refused(X, Y, X, Y, X[:0], Y[:0]) == f"{rule}: leave out test_x and test_y"


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.arange(5), "an array of int64: use torch.as_tensor(...)"),
        (np.array(list("ababa")), "an array of <U1: give numbers, of classes those from 0"),
        (list("ababa"), "a list: give numbers, of classes those from 0"),
        (None, "None: give a target for each sample"),
        ([0, 1, 0, 1, 0], "a list: use torch.as_tensor(...)"),
        ([*np.arange(5)], "a list: use torch.as_tensor(...)"),
        (1, "the number 1: give a target for each sample"),
        ({"y": Y}, "a dictionary of ('y': a tensor of int64 and shape (5,) on cpu): give numbers, of classes those f"),
    ],
)
def test_targets_are_a_tensor(y: Any, said: str) -> None:
    assert refused(X, Y, X, y).startswith(f"val_y of Splits must be a tensor, got {said}")


def test_a_single_number_is_no_split() -> None:
    said = "of Splits must have a row for each sample, got a single number"
    assert refused(X, torch.tensor(1), X, Y) == f"train_y {said}"
    assert refused(torch.tensor(1.0), Y, X, Y) == f"train_x {said}"


def test_splits_drawn_anew_are_looked_at_too() -> None:
    class Fewer(Circles):
        def split(self, device: torch.device, division: Division) -> Splits:
            data = self.load(device)
            return Splits(data.train_x, data.train_y, data.val_x, data.val_y[1:])

    task = Fewer()
    task.division = Division(seed=1)
    with pytest.raises(InvalidInputs, match="val_y of Splits must have the "):
        training(task, TrialConfig(units=12))


def test_inputs_out_of_distribution_have_their_targets() -> None:
    InputSet("noise_1", "shift", 1, X, Y)
    InputSet("far", "far", 0, X, None)
    with pytest.raises(InvalidInputs, match="y of the inputs noise_1 must have the 5 samples of x, got 4"):
        InputSet("noise_1", "shift", 1, X, Y[:4])
