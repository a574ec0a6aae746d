"""How far trainings that differ in their rounding alone drift apart: the reason for the tolerance of `reproduce`.

    python benchmarks/rounding.py [--epochs 20]

The digits are trained in a process for each choice of kernels that torch and its libraries have: the best that the
processor can run, AVX2, and none. A row is a network and a configuration; its cells are the largest relative difference
of the three losses to the best kernels' after so many epochs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1].resolve()
KERNELS: Mapping[str, Mapping[str, str]] = {
    "best": {},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "none": {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
LOSSES = ("train_loss", "val_loss", "train_step_loss")
TRAIN = """
import json, sys, torch
from pathlib import Path
from search_spaces import TaskSpec, TrialConfig
from workers.tasks import load_task
from workers.training import Training

torch.set_num_threads(1)
found, epochs = {}, int(sys.argv[1])
for backbone in ("mlp", "paper", "lstm", "resnet"):
    for rate, config in ((0.001, "none"), (0.001, "dropout"), (0.001, "pernodedrop"), (0.05, "none")):
        task = load_task(TaskSpec(name="digits", epochs=epochs, options={"backbone": backbone}), Path())
        config = TrialConfig(config, drop_rate=0.3, learning_rate=rate)
        training = Training(task, config, epochs=epochs, seed=3, device=torch.device("cpu"))
        name = f"{backbone}, {config.regularizer}, learning rate {rate}"
        found[name] = [dict(epoch.metrics) for epoch in training.epochs()]
print(json.dumps(found))
"""

Trainings = Mapping[str, Sequence[Mapping[str, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    epochs = parser.parse_args().epochs
    shown = sorted({1, 2, 5, 10, epochs} & set(range(1, epochs + 1)))
    best, *others = ((name, trained(epochs, kernels)) for name, kernels in KERNELS.items())
    table = Table("kernels", "training", *(f"epoch {epoch}" for epoch in shown), box=None)
    for name, found in others:
        for training, measured in found.items():
            cells = (f"{apart(best[1][training][epoch - 1], measured[epoch - 1]):.0e}" for epoch in shown)
            table.add_row(name, training, *cells)
    Console(width=140).print(table)


def trained(epochs: int, kernels: Mapping[str, str]) -> Trainings:
    environment = {**os.environ, **kernels, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TRAIN, str(epochs)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    found: Trainings = json.loads(done.stdout)
    return found


def apart(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return max(abs(one[name] - other[name]) / abs(one[name]) for name in LOSSES)


if __name__ == "__main__":
    main()
