"""What an installation compiles is what a training uses: it compiles nothing more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAINING = """
import torch
from pernodedrop import PerNodeDropLinear
for law in ("bernoulli", "gaussian", "partial_gaussian"):
    layers = [PerNodeDropLinear(32, 32, drop_rate=0.3, stir_type=law) for _ in range(2)]
    torch.autograd.backward(torch.nn.Sequential(*layers)(torch.ones(6, 32)).sum())
"""


@pytest.mark.wide
def test_a_training_after_prepare_compiles_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}

    def kernels() -> set[str]:
        return {file.name for file in tmp_path.rglob("*.nbc")}

    subprocess.run([sys.executable, "-m", "pernodedrop.prepare"], env=environment, check=True)
    prepared = kernels()
    assert prepared
    subprocess.run([sys.executable, "-c", TRAINING], env=environment, check=True)
    assert kernels() == prepared
