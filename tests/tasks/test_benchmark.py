import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from pernodedrop.names import REGULARIZERS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "trial.py"


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    sizes = ["--epochs", "1", "--train-size", "64", "--val-size", "40", "--threads", "1", "--device", "cpu"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--task", "digits", *sizes])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return capsys.readouterr().out


def test_prints_every_variant_beside_dropout_and_the_plain_loop(table: str) -> None:
    rows = [line for line in table.splitlines() if line.startswith("│")]
    assert len(rows) == 12
    assert all(any(name in row for row in rows) for name in (*REGULARIZERS, "plain DataLoader loop"))
    (dropout,) = [row for row in rows if row.startswith("│ dropout  ")]
    assert dropout.split("│")[-3:-1] == [f"{'1.000':>18} "] * 2


def test_teaches_its_options() -> None:
    command = [sys.executable, str(SCRIPT), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert all(option in text for option in ("--task", "--epochs", "--train-size", "--device"))
