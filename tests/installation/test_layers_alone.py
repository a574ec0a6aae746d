"""`pip install .` in a clean environment: torch, numpy and numba, the layers at work, and one line about the rest."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installation.environments import LAYERS, ROOT, SECONDS, SOURCES, Environment, clean, closure

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


MISSING = r"\w+ needs \w+, which is not installed here: pip install 'pernodedrop\[{extra}\]'"
COMMANDS = (["serve"], "service"), (["--help"], "service"), ([], "service"), (["worker", "--help"], "worker")
IMPORTS = {
    "service": "service", "service.client": "service", "search_spaces": "service",
    "workers": "worker", "workers.tasks": "worker",
}  # fmt: skip


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Environment]:
    """`pip install .` of a copy, so that no earlier build's files get in."""
    sources = tmp_path / "sources"
    for name in SOURCES:
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources)
    made = clean(tmp_path / "environment")
    made.install(sources)
    yield made
    # A gigabyte, of which pytest would keep three. Nobody waits for it: a slow disk takes half a minute.
    subprocess.run(["sh", "-c", 'rm -rf "$0" &', made.folder], check=True)


@pytest.mark.wide
def test_the_layers_install_alone(alone: Environment) -> None:
    """One test, since the environment takes half a minute to make."""
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

    files = {file for name in SOURCES for file in (ROOT / name).rglob("*") if "__pycache__" not in file.parts}
    assert {file for file in files if not (alone.packages / file.relative_to(ROOT)).exists()} == set()
