import math
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.plain_loop import Documents, collated, plain_epochs
from benchmarks.trial import REGULARIZERS
from search_spaces import TrialConfig
from tests.tasks.trainings import CPU
from workers.tasks import SparseRows, Task

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "trial.py"


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    sizes = ["--epochs", "1", "--train-size", "64", "--val-size", "40", "--threads", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--task", "digits", "--backbone", "gru", *sizes])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out


def test_prints_every_variant_beside_dropout_and_the_plain_loop(table: str) -> None:
    rows = [line for line in table.splitlines() if line.startswith("│")]
    assert len(rows) == 13
    assert all(
        any(name in row for row in rows) for name in (*REGULARIZERS, "pernodedrop", "bfloat16", "plain DataLoader loop")
    )
    (dropout,) = [row for row in rows if row.startswith("│ dropout  ")]
    assert [cell.strip() for cell in dropout.split("│")[-4:-2]] == ["1.000", "1.000"]


@pytest.mark.wide
def test_teaches_its_options() -> None:
    command = [sys.executable, str(SCRIPT), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert all(option in text for option in ("--task", "--backbone", "--epochs", "--train-size", "--device"))


@pytest.mark.parametrize("name", ["few_digits", "few_documents"])
def test_the_plain_loop_trains_dense_and_sparse_inputs(name: str, request: pytest.FixtureRequest) -> None:
    task: Task = request.getfixturevalue(name)
    steps, whole = next(plain_epochs(task, TrialConfig(regularizer="dropout", units=8, batch_size=16), CPU))
    assert 0 < steps < whole < math.inf


def test_documents_one_by_one_are_collated_to_the_same_batch() -> None:
    x = SparseRows(torch.tensor([3, 7, 9, 1]).int(), torch.arange(4.0), torch.tensor([0, 2, 2, 4]).int())
    y = torch.eye(3)
    documents = Documents(x, y)
    batch, targets = collated([documents[2], documents[1], documents[0]])
    expected = x[torch.tensor([2, 1, 0])]
    assert torch.equal(targets, y.flip(0))
    assert torch.equal(batch.columns, expected.columns)
    assert torch.equal(batch.values, expected.values)
    assert torch.equal(batch.offsets, expected.offsets)


def test_prints_every_method_beside_dropout_and_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = SCRIPT.parent / "methods.py"
    sizes = ["--epochs", "1", "--train-size", "32", "--val-size", "20", "--threads", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [str(script), "--method", "explicit", "--noise", "dropout", *sizes])
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows] == ["dropout", "none", "explicit-dropout", "explicit-dropout-jvp"]
    assert (rows[0][2], rows[1][3]) == ("1.00", "1.00")
    assert "'instructions': [" in printed


def test_prints_the_curvature_of_every_arm_and_what_it_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = ["--epochs", "1", "--repeats", "2", "--train-size", "32", "--val-size", "20", "--samples", "4"]
    monkeypatch.setattr(sys, "argv", ["curvature", "--arm", "explicit", "--device", "cpu", "--vectors", "2", *sizes])
    runpy.run_path(str(SCRIPT.parent / "curvature.py"), run_name="__main__")
    printed = capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
    assert [row[:2] for row in rows[2:]] == [["0", "none"], ["0.2", "explicit"], ["0.5", "explicit"]]
    assert len({len(row) for row in rows}) == 1
    assert "seconds of a measurement: 0." in printed
