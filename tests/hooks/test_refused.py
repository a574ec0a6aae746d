"""A wrong hook fails its trial in one line that names the hook, what it returned and what it should."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, IterableDataset, WeightedRandomSampler

from search_spaces import TrialConfig
from tests.hooks.test_hooks import with_optimizer
from tests.tasks.test_slots import Circles
from tests.tasks.trainings import CPU, curves, training
from workers.tasks import InvalidInputs, Splits, Streamed
from workers.tasks.base import Task

X, Y = torch.zeros(4, 3), torch.zeros(4)
MUST = "optimizer of task tests.tasks.test_slots:Circles must return a torch.optim.Optimizer of the model's parameters"


def tell(error: pytest.ExceptionInfo[Exception]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


class Lambda(SGD):
    def __init__(self, parameters: Any) -> None:
        super().__init__([{"params": list(parameters), "factor": lambda step: 1.0}], lr=0.1)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda model: "adam", f"{MUST}, or None, got a str"),
        (lambda model: (Adam(model.parameters()), None), f"{MUST}, or None, got a tuple of 2: give schedules in seams"),
        (
            lambda model: Adam(nn.Linear(2, 2).parameters()),
            f"{MUST}, or None, got one with 2 other parameters: build it from the model that it is given",
        ),
        (
            lambda model: Adam(list(model.parameters())[:1]),
            "optimizer of task tests.tasks.test_slots:Circles leaves out what concrete_dropout learns "
            "(1.slot.logit): give it all of model.parameters()",
        ),
        (
            lambda model: Lambda(model.parameters()),
            "optimizer of task tests.tasks.test_slots:Circles has a function in its param_groups, and a checkpoint "
            "holds tensors, numbers and texts: give schedules in seams",
        ),
    ],
)
def test_an_optimizer(make: Callable[[nn.Module], Any], text: str) -> None:
    task = with_optimizer(lambda model, _: make(model))
    with pytest.raises(ValueError, match=r".") as error:
        training(task, TrialConfig("concrete_dropout", units=12))
    assert tell(error) == text


def test_numbers_that_an_optimizer_has_not() -> None:
    task = with_optimizer(lambda model, _: SGD(model.parameters(), lr=torch.tensor(0.1)))
    with pytest.raises(ValueError, match="SGD has a Tensor as its learning rate, so no schedule can set it: use a num"):
        training(task, TrialConfig(units=12, learning_rate_schedule="cosine"))

    class Forgetful(SGD):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            self.state[self.param_groups[0]["params"][0]]["rule"] = tell

    run = training(with_optimizer(lambda model, _: Forgetful(model.parameters())), TrialConfig(units=12))
    next(run.epochs())
    with pytest.raises(ValueError, match="keeps a function in its state, and a checkpoint holds tensors, numbers"):
        run.state_dict()


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda x: None, "None"),
        (lambda x: x[:3], r"a tensor of float32 and shape (3, 10) on cpu"),
        (lambda x: x.double(), r"a tensor of float64 and shape (16, 10) on cpu"),
        (lambda x: (x, x), "a tuple of ("),
        (lambda x: {"x": x}, "a dictionary of ('x': a tensor of float32"),
    ],
)
def test_augment(change: Callable[[Tensor], Any], got: str) -> None:
    class Changed(Circles):
        def augment(self, x: Any, generator: torch.Generator) -> Any:
            return change(x)

    with pytest.raises(InvalidInputs, match=r".") as error:
        curves(training(Changed(), TrialConfig(units=12, batch_size=16)))
    assert tell(error).startswith(
        "augment of task tests.tasks.test_slots:Circles must return as many samples of the same types in the same "
        f"dictionaries as it was given, a tensor of float32 and shape (16, 10) on cpu, got {got}"
    )


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            [X, X],
            "train_x of Splits must be a tensor, SparseRows, Streamed, or a dictionary or tuple of tensors, got a list",
        ),
        ({}, "train_x of Splits must hold at least one tensor, got an empty dict"),
        (
            {"a": X, "b": ({"c": "text"},)},
            "train_x of Splits['b'][0]['c'] must be a tensor with a row for each sample, got a str",
        ),
        (
            (X, X[:3]),
            "train_x of Splits[1] must be of the same samples and device as train_x of Splits[0], 4 samples on cpu: "
            "got 3 samples on cpu",
        ),
        (
            (X[:3],),
            "train_y of Splits must have the 3 samples of train_x, got 4: give one target for each sample, in the same "
            "order",
        ),
    ],
)
def test_inputs(x: Any, text: str) -> None:
    with pytest.raises(InvalidInputs, match=r".") as error:
        Splits(x, Y, X, Y)
    assert tell(error) == text


def test_no_splits() -> None:
    class Wrong(Circles):
        def load(self, device: torch.device) -> Any:
            return X, Y, X, Y

    with pytest.raises(InvalidInputs, match=r"load of task .*Circles must return Splits, got a tuple of \("):
        training(Wrong(), TrialConfig(units=12))


class Endless(IterableDataset[Tensor]):
    def __iter__(self) -> Any:
        return iter(X)


class Broken:
    def __init__(self, sample: Callable[[int], Any]) -> None:
        self._sample = sample

    def __len__(self) -> int:
        return 5

    def __getitem__(self, number: int) -> Any:
        return self._sample(number)


ITSELF = "a streamed data set must have a length and samples by number (__len__ and __getitem__), because the training"


@pytest.mark.parametrize("dataset", [Endless(), DataLoader(Endless())])
def test_a_data_set_without_numbers(dataset: Any) -> None:
    with pytest.raises(InvalidInputs, match=re.escape(ITSELF)) as error:
        Streamed(dataset, CPU)
    assert tell(error).endswith("got Endless: give one of torch's map style")


def test_a_loader_with_an_order_of_its_own() -> None:
    loader = DataLoader(X, sampler=WeightedRandomSampler([1.0] * 4, 4))  # type: ignore[arg-type]
    with pytest.raises(InvalidInputs, match="must leave the order to the training, got WeightedRandomSampler: "):
        Streamed(loader, CPU)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.wide)])
@pytest.mark.parametrize(
    ("sample", "text"),
    [
        (
            lambda number: X[number],
            "sample 4 of a streamed data set cannot be read: IndexError: index 4 is out",
        ),
        (
            lambda number: torch.zeros(2 + number // 3),
            "samples of a streamed data set cannot be read: ValueError: samples have the shapes (2,)",
        ),
        (
            lambda number: {"ab"[number // 3]: X[0]},
            "samples of a streamed data set cannot be read: KeyError: 'a'",
        ),
    ],
)
def test_a_sample(sample: Callable[[int], Any], text: str, workers: int) -> None:
    data = Streamed(Broken(sample), CPU, workers=workers)
    with pytest.raises(InvalidInputs, match=r".") as error:
        list(data.batches(5)) + list(data.batches(4))
    assert tell(error).startswith(text)


def test_samples_that_are_no_pairs() -> None:
    with pytest.raises(InvalidInputs, match=r"with targets must give pairs \(input, target\) as samples"):
        Streamed.with_targets(Broken(lambda number: X[0]), CPU)


def test_without_hooks_nothing_is_asked() -> None:
    assert not Circles().augments
    assert Task.optimizer(Circles(), nn.Linear(1, 1), TrialConfig()) is None
