"""What counts of the epochs."""

import pytest

from search_spaces import Objective
from service.storage.assignments.progress import Progress, UnusableObjective

LOSS = (Objective(metric="val_loss"),)


def test_what_is_tested_counts_at_the_epoch_that_validation_names() -> None:
    progress = Progress(LOSS, on_test=True)
    progress.add(0, 1, {"val_loss": 0.5, "test_loss": 0.7})
    progress.add(0, 2, {"val_loss": 0.6, "test_loss": 0.1})
    assert (progress.values, progress.best_epoch) == ([0.7], 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_test_that_gives_no_number_is_no_result_where_it_counts(value: float) -> None:
    progress = Progress(LOSS, on_test=True)
    progress.add(0, 1, {"val_loss": 0.5, "test_loss": value})
    assert progress.flaw == f"test_loss is {value} at the best epoch: lower the learning rate"
    progress.add(0, 2, {"val_loss": 0.4, "test_loss": 0.6})
    assert (progress.flaw, progress.values) == (None, [0.6])


@pytest.mark.parametrize(
    ("loss", "remedy"),
    [
        ({"val_loss": 0.5}, "the epoch's losses are finite, so mend how this metric is computed"),
        ({"val_loss": 0.5, "val_loss_one_mask": float("nan")}, "lower the learning rate"),
        ({"val_loss": float("inf")}, "lower the learning rate"),
        ({}, "lower the learning rate"),
    ],
)
def test_an_objective_that_is_no_number_has_its_own_remedy(loss: dict[str, float], remedy: str) -> None:
    progress = Progress((Objective(metric="val_r2", direction="maximize"),))
    with pytest.raises(UnusableObjective, match=f"^objective val_r2 became nan in epoch 3: {remedy}$"):
        progress.add(0, 3, {"val_r2": float("nan"), **loss})
