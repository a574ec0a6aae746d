"""The wheel in a clean environment: first the layers alone, with one line about the rest; then the whole service."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from search_spaces.presets import preset_names
from tests.installation.distributions import Distributions
from tests.installation.environments import LAYERS, SECONDS, Environment, clean, closure

pytestmark = pytest.mark.timeout(2 * SECONDS)

STEP = """
import sys
import torch
from pernodedrop import PerNodeDropLinear

torch.manual_seed(1)
layer = PerNodeDropLinear(256, 64, drop_rate=0.4)
optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
x, y = torch.randn(128, 256), torch.randn(128, 64)
before = layer.weight.detach().clone()
loss = torch.nn.functional.mse_loss(layer(x), y)
loss.backward()
optimizer.step()
assert loss.isfinite() and layer.weight.isfinite().all() and not layer.weight.equal(before)
assert "numba" in sys.modules  # the kernel did it
print("trained")
"""

TINY = """
name: tiny
task: {name: digits, epochs: 2, train_size: 200}
search_space: {drop_rate: {type: float, low: 0.1, high: 0.5}}
fixed: {regularizer: dropout}
budget: {trials: 2}
confirmation: {repeats: 2}
"""

MISSING = r"\w+ needs \w+, which is not installed here: pip install 'pernodedrop\[{extra}\]'"
COMMANDS = (["serve"], "service"), (["--help"], "service"), ([], "service"), (["worker", "--help"], "worker")
IMPORTS = {
    "service": "service", "service.client": "service", "search_spaces": "service",
    "workers": "worker", "workers.tasks": "worker",
}  # fmt: skip


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Environment]:
    """An environment with nothing in it."""
    made = clean(tmp_path / "environment")
    yield made
    # A gigabyte, of which pytest would keep three. Nobody waits for it: a slow disk takes half a minute.
    subprocess.run(["sh", "-c", 'rm -rf "$0" &', made.folder], check=True)


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """An open folder: pytest's are closed to the account that root hands Postgres to."""
    folder = Path(tempfile.mkdtemp(prefix="pernodedrop-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.wide
def test_the_wheel_in_a_clean_environment(distributions: Distributions, alone: Environment, elsewhere: Path) -> None:
    """One test, since the environment takes half a minute to make."""
    alone.install(str(distributions.wheel))
    the_layers_work_alone(alone)
    alone.install(f"{distributions.wheel}[service,worker]")
    the_service_runs(alone, elsewhere)


def the_layers_work_alone(alone: Environment) -> None:
    assert alone.installed() == closure(LAYERS, alone.find) | {"pernodedrop"}

    trained = alone.python("-B", "-c", STEP)
    assert (trained.stdout, trained.stderr, trained.returncode) == ("trained\n", "", 0)

    for arguments, extra in COMMANDS:
        ended = alone.run("pernodedrop", *arguments)
        assert (ended.stdout, ended.returncode) == ("", 1), arguments
        assert re.fullmatch(rf"error: {MISSING.format(extra=extra)}\n", ended.stderr), (arguments, ended.stderr)

    for module, extra in IMPORTS.items():
        said = alone.python("-c", f"try:\n    import {module}\nexcept ImportError as error:\n    print(error)")
        assert re.fullmatch(rf"{MISSING.format(extra=extra)}\n", said.stdout), (module, said)


def the_service_runs(whole: Environment, home: Path) -> None:
    assert not {"pyarrow", "matplotlib", "mypy", "selenium", "transformers"} & whole.installed()

    listed = whole.run("pernodedrop", "presets")
    assert (listed.stderr, listed.returncode) == ("", 0)
    assert [name for name in preset_names() if name not in listed.stdout] == []

    study = home / "tiny.yaml"
    study.write_text(TINY)
    done = whole.run("pernodedrop", "run", "--file", str(study), "--workers", "1", PERNODEDROP_HOME=str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2/2 runs" in done.stdout
    assert (home / "reports/tiny.html").stat().st_size > 100_000
