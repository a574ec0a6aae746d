"""The better value and the best epoch: one rule for workers, pruners and reports."""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from search_spaces import Objective
from search_spaces.objective import best_epoch, metric_name, split_of, with_objectives

LOSS = Objective(metric="val_loss")
ACCURACY = Objective(metric="val_accuracy", direction="maximize")
NOT_FINITE = [math.nan, math.inf, -math.inf]


@dataclass(frozen=True)
class Epoch:
    number: int
    metrics: dict[str, float] = field(default_factory=dict)


def epochs(*values: float | None, metric: str = "val_loss") -> list[Epoch]:
    """An epoch a value; one of None did not measure the metric."""
    return [Epoch(n, {} if value is None else {metric: value}) for n, value in enumerate(values, start=1)]


def number_of_best(*values: float | None, objective: Objective = LOSS) -> int | None:
    best = best_epoch(epochs(*values, metric=objective.metric), objective)
    return None if best is None else best.number


def test_less_or_more_is_better() -> None:
    assert number_of_best(0.3, 0.1, 0.2) == 2
    assert number_of_best(0.3, 0.1, 0.2, objective=ACCURACY) == 1


def test_of_equals_the_first_is_the_best() -> None:
    assert number_of_best(0.3, 0.1, 0.1) == 2
    assert number_of_best(0.0, -0.0) == 1
    assert number_of_best(0.5, 0.9, 0.9, objective=ACCURACY) == 2


@pytest.mark.parametrize("wrong", [*NOT_FINITE, None])
@pytest.mark.parametrize("objective", [LOSS, ACCURACY])
def test_what_is_no_finite_number_is_never_the_best(wrong: float | None, objective: Objective) -> None:
    assert number_of_best(wrong, objective=objective) is None
    assert number_of_best(wrong, 0.5, wrong, objective=objective) == 2
    assert number_of_best(0.5, wrong, objective=objective) == 1


def test_without_epochs_none_is_the_best() -> None:
    assert best_epoch(epochs(), LOSS) is None


@pytest.mark.parametrize("value", NOT_FINITE)
def test_nothing_becomes_better_without_being_a_number(value: float) -> None:
    assert not LOSS.is_better(value, 0.5)
    assert not LOSS.is_better(value, None)
    assert LOSS.is_better(0.5, None)
    assert not LOSS.is_better(None, None)


@pytest.mark.parametrize(("direction", "cost"), [("minimize", 0.25), ("maximize", -0.25)])
def test_less_cost_is_better(direction: Any, cost: float) -> None:
    objective = Objective(metric="val_loss", direction=direction)
    assert objective.cost(0.25) == cost
    assert objective.cost(objective.cost(0.25)) == 0.25


@pytest.mark.parametrize(
    ("metric", "split", "tested"),
    [("val_loss", "val", "test_loss"), ("train_top_5_accuracy", "train", "test_top_5_accuracy")],
)
def test_names_of_metrics(metric: str, split: Literal["val", "train"], tested: str) -> None:
    assert split_of(metric) == split
    assert metric_name(split, metric.removeprefix(f"{split}_")) == metric
    assert Objective(metric=metric).tested == tested


def test_a_model_of_one_pass_has_the_figure_of_one_mask_too() -> None:
    one_mask = Objective(metric="val_loss_one_mask")
    several = {"val_loss": 0.2, "val_loss_one_mask": 0.3}
    assert (one_mask.of(several), Objective(metric="val_loss").of(several)) == (0.3, 0.2)
    assert one_mask.of({"val_loss": 0.2}) == 0.2
    assert one_mask.of({"val_accuracy": 0.2}) is None


def test_an_epoch_has_its_objectives_under_the_names_that_they_ask_for() -> None:
    one_mask = Objective(metric="val_loss_one_mask")
    found = with_objectives({"val_loss": 0.2, "test_loss": 0.4}, [one_mask, Objective(metric="val_accuracy")])
    assert found == {"val_loss": 0.2, "test_loss": 0.4, "val_loss_one_mask": 0.2, "test_loss_one_mask": 0.4}
