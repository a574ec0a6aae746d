"""The linear network: its data, its figures, and the optimum that its training comes to."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pernodedrop.linear_theory import (
    balanced,
    block_penalty,
    connection_matrix,
    connection_penalty,
    minimize_by_blocks,
    minimize_by_connections,
    support_norm_squared,
)
from search_spaces import TaskSpec, TrialConfig
from tests.tasks.trainings import CPU, training
from workers.tasks import InvalidOptions, Splits, Task, load_task
from workers.tasks.linear_factorization import LinearFactorization
from workers.training.evaluation import evaluate
from workers.training.model import model_of


def task_of(train_size: int | None = None, **options: float | str) -> Task:
    return load_task(TaskSpec(name="linear_factorization", train_size=train_size, options=options), Path())


def splits_of(train_size: int | None = None, **options: float | str) -> Splits:
    return task_of(train_size, **options).splits(CPU)


def test_sizes_and_what_they_change() -> None:
    data, larger = splits_of(rows=4, columns=6, val_size=30), splits_of(150, rows=4, columns=6)
    assert (data.train_x.shape, data.train_y.shape, data.val_y.shape) == ((100, 6), (100, 4), (30, 4))
    assert (larger.train_x.shape, larger.val_x.shape) == ((150, 6), (500, 6))
    assert torch.equal(larger.train_x[:100], data.train_x)
    assert torch.equal(larger.train_y[:100], data.train_y)
    assert torch.equal(larger.val_y[:30], data.val_y)
    assert data.test_y is not None
    assert torch.equal(larger.test_y, data.test_y)
    assert not torch.equal(splits_of(rows=4, columns=6, data_seed=1).train_x, data.train_x)


def test_the_targets_are_a_matrix_of_the_rank_and_noise() -> None:
    clean = splits_of(5000, rows=6, columns=5, rank=2, noise=0.0)
    matrix = torch.linalg.lstsq(clean.train_x, clean.train_y).solution
    torch.testing.assert_close(clean.val_x @ matrix, clean.val_y, atol=1e-4, rtol=0.0)
    assert torch.linalg.svdvals(matrix).tolist() == pytest.approx([2.0, 1.0, 0.0, 0.0, 0.0], abs=1e-4)
    noisy = splits_of(5000, rows=6, columns=5, rank=2, noise=0.5)
    assert torch.equal(noisy.train_x, clean.train_x)
    assert float((noisy.train_y - clean.train_y).std()) == pytest.approx(0.5, rel=0.02)


def test_inputs_are_correlated_as_asked() -> None:
    x = splits_of(20_000, columns=4, correlation=0.8).train_x
    expected = 0.8 ** (torch.arange(4)[:, None] - torch.arange(4)).abs()
    torch.testing.assert_close(torch.cov(x.T), expected.float(), atol=0.03, rtol=0.0)


@pytest.mark.parametrize(
    ("slots", "names"),
    [("second", ["second.slot"]), ("first", ["first.slot"]), ("both", ["first.slot", "second.slot"])],
)
def test_the_slots(slots: str, names: list[str]) -> None:
    model, handle = model_of(task_of(slots=slots), TrialConfig("dropout", units=7))
    assert handle is not None
    assert list(handle.layers) == names
    assert model(torch.ones(3, 10)).shape == (3, 10)
    assert sum(weight.numel() for weight in model.parameters()) == 140


def test_the_figures_of_the_model() -> None:
    task = task_of(rows=4, columns=5, rank=2, correlation=0.5)
    model, _ = model_of(task, TrialConfig("block_dropout", units=6, extra={"block_size": 3}))
    data = task.splits(CPU)
    found = evaluate(task, model, data.val_x, data.val_y)
    first, second = (layer.weight.detach().double() for layer in model.modules() if isinstance(layer, nn.Linear))
    x = data.train_x.double().T / 10  # of the training inputs, whatever the split
    values = torch.linalg.svdvals(second @ first @ x)
    assert found["nuclear_norm"] == pytest.approx(float(values.sum()))
    assert found["rank"] == int((values >= 0.01 * values[0]).sum())
    shares = values / values.sum()
    assert found["effective_rank"] == pytest.approx(float((-shares * shares.log()).nansum().exp()))
    norms = torch.stack([(second[:, part] @ first[part] @ x).norm() for part in (slice(3), slice(3, 6))])
    assert found["penalty"] == pytest.approx(float(2 * norms.square().sum()))
    assert found["imbalance"] == pytest.approx(float(norms.std(correction=0) / norms.mean()))
    errors = (model(data.val_x).detach() - data.val_y).square().sum()
    assert found["r2"] == pytest.approx(float(1 - errors / data.val_y.square().sum()), abs=1e-6)
    with torch.no_grad():
        model[0][0].weight.zero_()
    assert evaluate(task, model, data.val_x, data.val_y)["effective_rank"] == 0.0


def trained(task: Task, regularizer: str, **extra: float | str) -> tuple[Tensor, Tensor, dict[str, float]]:
    """U and V of 10 hidden units at the rate 2/3, where the masks' variance is 2, and the last epoch's figures."""
    config = TrialConfig(
        regularizer,
        "gaussian",
        drop_rate=2 / 3,
        units=10,
        learning_rate=0.02,
        batch_size=50,
        learning_rate_schedule="cosine",
        extra=extra,
    )
    run = training(task, config, epochs=100)
    *_, last = run.epochs()
    first, second = (layer.weight.detach().double() for layer in run.model.modules() if isinstance(layer, nn.Linear))
    return second, first.T, dict(last.metrics)


def data_of(task: Task) -> tuple[Tensor, Tensor]:
    data = task.splits(CPU)
    return data.train_y.double().T, data.train_x.double().T


@pytest.mark.parametrize(("regularizer", "block"), [("dropout", 1), ("pernodedrop", 1), ("block_dropout", 2)])
def test_training_comes_to_the_theorys_optimum(regularizer: str, block: int) -> None:
    task = task_of()
    u, v, found = trained(task, regularizer, **({"block_size": block} if block > 1 else {}))
    y, x = data_of(task)
    best = minimize_by_blocks(y, x, beta=2.0 * block / 10, block=block)
    loss = float((y - u @ v.T @ x).square().sum())
    assert found["train_loss"] * y.numel() == pytest.approx(loss, rel=1e-5)
    assert best.objective < loss + float(block_penalty(u, v, x, 2.0, block)) < 1.02 * best.objective
    assert found["train_rank"] == best.rank == 3
    assert found["train_imbalance"] < 0.1
    assert found["train_penalty"] == pytest.approx(float(support_norm_squared(best.values, block)) / 100, rel=0.1)


def test_pernodedrop_in_the_first_layer_comes_to_its_own_optimum() -> None:
    task = task_of(correlation=0.9, slots="first")
    u, v, _ = trained(task, "pernodedrop")
    y, x = data_of(task)
    best = minimize_by_connections(y, x, width=10, first=2.0, second=0.0)

    def expected(u: Tensor, v: Tensor) -> float:
        return float((y - u @ v.T @ x).square().sum() + connection_penalty(u, v, x, first=2.0, second=0.0))

    assert best.objective < expected(u, v) < 1.02 * best.objective
    of_dropout = minimize_by_blocks(y, x, beta=2.0 / 10).product  # the best one if hidden units were dropped
    assert expected(*balanced(of_dropout, 10, connection_matrix(x, first=2.0, second=0.0))) > 1.1 * best.objective


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows must be a whole number from 1 to 4096, got 0"),
        ({"columns": 5000}, "columns must be a whole number from 1 to 4096, got 5000"),
        ({"rank": 11}, "rank must be at most rows and columns, got 11 for 10 x 10"),
        ({"noise": -1.0}, "noise must be a number from 0 to 1000, got -1.0"),
        ({"noise": True}, "noise must be a number from 0 to 1000, got True"),
        ({"correlation": 1.0}, "correlation must be a number from 0 to 0.99, got 1.0"),
        ({"slots": "third"}, "slots of linear_factorization must be one of second, first, both, got 'third'"),
        ({"colour": 1}, "colour is unknown to linear_factorization: did you mean columns"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, float | str], message: str) -> None:
    with pytest.raises(InvalidOptions, match=rf"task\.options\.{message}"):
        task_of(**options)


def test_a_mean_of_passes_is_that_of_numbers() -> None:
    task = task_of()
    assert isinstance(task, LinearFactorization)
    assert task.outputs == "squared"
    assert task.combined(torch.tensor([[1.0], [3.0]])).tolist() == [2.0]
    *_, last = training(task, TrialConfig("masksembles", units=20, drop_rate=0.3), epochs=1).epochs()
    assert {"val_loss_one_mask", "val_effective_rank"} <= set(last.metrics)
    assert "val_effective_rank_one_mask" not in last.metrics
