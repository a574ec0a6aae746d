"""The code of docs/extending.md, written into a copy of the packages as the page says, and used there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
PACKAGES = ("pernodedrop", "search_spaces", "service", "workers")
BLOCK = re.compile(r"^```(python|diff)\n# (\S+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
USE = """
import json
from pathlib import Path

import torch

from pernodedrop import Stir
from search_spaces import definition_schema, named_scale, parse_definition, scaled
from search_spaces.optuna import build_sampler
from search_spaces.trial_config import TrialConfig
from workers.tasks import load_task
from workers.training import Training

metrics = ("val_loss", "train_loss", "val_ece")
definition = parse_definition({
    "name": "extended",
    "task": {"name": "wine", "epochs": 20},
    "search_space": {
        "stir_type": {"type": "categorical", "choices": ["laplace", "gaussian"]},
        "drop_rate": {"type": "float", "low": 0, "high": 0.5},
    },
    "fixed": {"regularizer": "pernodedrop"},
    "sampler": {"name": "nsgaiii", "population_size": 7},
    "objectives": [{"metric": metric} for metric in metrics],
    "budget": {"trials": 3},
})
task = load_task(definition.task, Path())
config = TrialConfig("pernodedrop", "laplace", drop_rate=0.2, units=32, batch_size=16, learning_rate=0.01)
*_, last = Training(task, config, epochs=20, seed=0, device=torch.device("cpu")).epochs()
torch.manual_seed(0)
noise = Stir(0.4, "laplace").draw((1_000_000,), dtype=torch.float64) - 1
print(json.dumps({
    "sampler": type(build_sampler(definition, seed=1)._base._base).__name__,
    "small": scaled(definition, named_scale("small", definition)).task.train_size,
    "val_accuracy": last.metrics["val_accuracy"],
    "mean": noise.mean().item(),
    "variance": noise.var().item(),
    "kurtosis": (noise.pow(4).mean() / noise.var() ** 2).item(),
    "schema": json.dumps(definition_schema()),
}))
"""


def write(block: str, file: Path, kind: str) -> None:
    """Create the file, or add each line marked + behind the one in front of it, which the file has once."""
    if kind == "python":
        assert not file.exists(), f"{file} exists already: the page's example needs another name"
        file.write_text(block)
        return
    lines = file.read_text().splitlines()
    before = ""
    for line in block.splitlines():
        sign, text = line[0], line[1:]
        if sign == "+":
            assert lines.count(before) == 1, f"{file} has {lines.count(before)} lines {before!r}: mend the page"
            lines.insert(lines.index(before) + 1, text)
        before = text
    file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    blocks = BLOCK.findall(PAGE)
    assert [kind for kind, _, _ in blocks] == ["python", "diff"] * 3
    for kind, name, block in blocks:
        write(block, tmp_path / name, kind)
    return tmp_path


def test_the_examples_are_all_that_the_change_needs(extended: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(extended)}
    command = [sys.executable, "-c", USE]
    done = subprocess.run(command, cwd=extended, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["sampler"] == "NSGAIIISampler"
    assert found["small"] == 60
    assert found["val_accuracy"] > 0.9
    assert found["mean"] == pytest.approx(0.0, abs=0.005)
    assert found["variance"] == pytest.approx(0.4 / 0.6, rel=0.02)
    assert found["kurtosis"] == pytest.approx(6.0, rel=0.1)  # a Gaussian's is 3
    assert "wine, digits, cifar10" in found["schema"]
    assert "population_size" in found["schema"]
    assert "nsgaiii" in found["schema"]


def test_every_file_that_the_page_names_exists() -> None:
    prose = BLOCK.sub("", PAGE)
    named = set(re.findall(r"`((?:pernodedrop|search_spaces|service|workers|tests)/[\w./]+)`", prose))
    assert len(named) > 15
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_list_that_the_page_names_is_in_its_file() -> None:
    rows = re.findall(r"`([A-Z_]+)` in `([\w./]+)`", PAGE)
    assert len(rows) >= 8
    for name, path in rows:
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(), flags=re.MULTILINE), f"{path} has no {name}"


def test_the_groups_of_entry_points_are_those_that_are_looked_for() -> None:
    from pernodedrop.backends.choice import BACKENDS
    from pernodedrop.names import LAWS, REGULARIZERS
    from search_spaces import BUILT_IN_TASKS

    groups = set(re.findall(r'entry-points\."([\w.]+)"', PAGE))
    assert groups == {registry.group for registry in (LAWS, REGULARIZERS, BACKENDS, BUILT_IN_TASKS)}
