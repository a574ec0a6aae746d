"""The examples of docs/own-task.md for each hook, as they stand there, trained."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from search_spaces import TaskSpec, TrialConfig, parse_definition
from search_spaces.yaml_text import read_yaml
from workers.tasks import Task, load_task
from workers.training import Training

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
CPU = torch.device("cpu")


@pytest.fixture
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


def accuracy(task: Task, config: TrialConfig, epochs: int) -> float:
    *_, last = Training(task, config, epochs=epochs, seed=0, device=CPU).epochs()
    return last.metrics["val_accuracy"]


@pytest.mark.usefixtures("_found")
@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("task_optimizer:Digits", {}),
        ("task_augment:Digits", {}),
        ("task_streamed:Digits", {"readers": 0}),
        pytest.param("task_streamed:Digits", {}, marks=pytest.mark.wide),
    ],
)
def test_learns(task: str, options: dict[str, int], tmp_path: Path) -> None:
    images, labels = load_digits(return_X_y=True)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "labels.npy", labels)
    config = TrialConfig("dropout", drop_rate=0.2, units=32, learning_rate=0.01, batch_size=50)
    found = load_task(TaskSpec(name=task, epochs=3, options=options), tmp_path)
    assert accuracy(found, config, 3) > 0.8  # 0.1 by chance


def test_the_page_shows_what_the_examples_do() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (EXAMPLES.parent / "own-task.md").read_text(), flags=re.DOTALL | re.M)
    shown = {block.split()[1].partition("(")[0]: block for block in blocks}
    for block, file in ((shown["="], "task_streamed.py"), (shown["optimizer"], "task_optimizer.py")):
        program = (EXAMPLES / file).read_text()
        for line in block.splitlines():
            start = line.strip().split("(self")[0].partition(", workers")[0]
            assert start in program, line
    names: dict[str, Any] = {"torch": torch}
    exec(shown["augment"], names)
    drawn = [names["augment"](None, torch.ones(3, 1, 2, 2), torch.Generator().manual_seed(1)) for _ in range(2)]
    assert torch.equal(*drawn)
    assert drawn[0].unique().numel() == 3


USE = """
from pathlib import Path
import sys
from tests.hooks.test_examples import accuracy
from search_spaces import TaskSpec, TrialConfig
from workers.tasks import load_task
config = TrialConfig("pernodedrop", drop_rate=0.1, units=32, learning_rate=0.003, batch_size=32)
print(accuracy(load_task(TaskSpec(name="task_text:Brackets", epochs=4, train_size=600), Path()), config, 4))
"""


def test_the_study_of_the_text_encoder_is_one() -> None:
    assert parse_definition(read_yaml((EXAMPLES / "task_text.yaml").read_text())).task.name == "task_text:Brackets"


@pytest.mark.wide
def test_the_text_encoder_learns() -> None:
    """In a process of its own: transformers takes seconds to import, and stays."""
    environment = {"PYTHONPATH": f"{EXAMPLES}:{EXAMPLES.parents[1]}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", USE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.55  # by chance 0.5
