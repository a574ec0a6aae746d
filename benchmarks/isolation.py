"""What it costs that every trial of an own task has a process of its own: seconds a trial, without queue and database.

    python -m benchmarks.isolation [--trials 40] [--epochs 1] [--threads 1] [--against OTHER_CHECKOUT]

A slot's processes train the built-in digits and the same data as an own task, trial after trial, with one order ahead
that is not counted. `--against` measures another checkout of this project, and takes turns with it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from search_spaces import TaskSpec, TrialConfig
from service.storage.assignments.progress import EpochDone
from workers.trial.messages import Failed, Order, Started
from workers.trial.process import TrialProcess

ROOT = Path(__file__).parents[1].resolve()
TASKS = {"built-in": "digits", "own": "workers.tasks.digits:Digits"}  # the same class, by an own task's name
ROUNDS = 3
UNTIL_S = 120.0


def main() -> None:
    options = parser().parse_args()
    if options.measure:
        print(json.dumps(measured(options)))
        return
    trees = [ROOT, *([options.against.resolve()] if options.against else [])]
    found: dict[tuple[Path, str], list[float]] = {}
    for _ in range(ROUNDS):
        for tree in trees:
            for name, seconds in of_tree(tree, options).items():
                found.setdefault((tree, name), []).extend(seconds)
    for (tree, name), seconds in found.items():
        middle = statistics.median(seconds)
        print(f"{tree}, {name}: {middle:.3f} s a trial, {60 / middle:.0f} trials a minute, {len(seconds)} trials")


def parser() -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default, text in (
        ("--trials", 40, "trials of each task in a round"),
        ("--epochs", 1, "epochs of a trial"),
        ("--threads", 1, "CPU threads of the training"),
    ):
        parsed.add_argument(name, type=int, default=default, help=f"{text} (default: {default})")
    parsed.add_argument("--against", type=Path, help="another checkout")
    parsed.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    return parsed


def of_tree(tree: Path, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each trial by task, measured by a process of its own in which the tree's packages come first."""
    parts = [f"--{name}={getattr(options, name)}" for name in ("trials", "epochs", "threads")]
    path = {"PYTHONPATH": f"{tree}{os.pathsep}{ROOT}"}
    code = f"import runpy, sys; sys.argv[1:] = {['--measure', *parts]!r}; sys.path[0:0] = [{str(tree)!r}]\n"
    code += f"runpy.run_path({str(Path(__file__))!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env={**os.environ, **path}, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(options: argparse.Namespace) -> dict[str, list[float]]:
    process = TrialProcess("cpu", options.threads)
    try:
        return {
            name: [trained(process, task, options.epochs) for _ in range(options.trials + 1)][1:]
            for name, task in TASKS.items()
        }
    finally:
        process.kill()


def trained(process: TrialProcess, task: str, epochs: int) -> float:
    """Train a trial; returns its seconds."""
    started = time.monotonic()
    spec = TaskSpec(name=task, epochs=epochs, train_size=400)
    config = TrialConfig(regularizer="pernodedrop")
    process.order(Order(task=spec, config=config, study_seed=0, repeats=1, data_folder=Path("/tmp")))
    while time.monotonic() < started + UNTIL_S:
        report = process.listen(0.1)
        if isinstance(report, Failed):
            sys.exit(f"a trial of {task} failed: {report.reason}")
        if report is not None and not isinstance(report, Started | EpochDone):
            return time.monotonic() - started
    sys.exit(f"a trial of {task} took more than {UNTIL_S:g} s")


if __name__ == "__main__":
    main()
