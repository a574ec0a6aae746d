"""What a training step costs by every method, beside Dropout and beside no regularizer.

    python -m benchmarks.methods [--task cifar10] [--backbone paper] [--epochs 9] [--method explicit --method averaged]

Every regularizer is here, with its defaults, with every name that one of its own settings may have, and around every
noise of `--noise` if it takes one. All train the same backbone in one process and take turns epoch by epoch, so that a
noisy neighbour meets every one of them; a first epoch of each is left out. Figures are medians over the epochs: of the
milliseconds of a step, and of its ratios to Dropout and to no regularizer in the same turn. What the task's backbone
does not suit stands below with its reason.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from benchmarks import trial
from benchmarks.gpu.machine import description
from pernodedrop.names import REGULARIZERS
from search_spaces import TaskSpec, TrialConfig
from search_spaces.parameters import OPTIONS, OneOf
from workers.tasks import Task, load_task
from workers.training import Training

BASELINES = ("dropout", "none")
NOT_TIMED = 1  # epochs of each before the first turn


@dataclass(frozen=True)
class Method:
    """Something that trains one epoch after another, and says what a step took."""

    name: str
    steps: Iterator[float]  # ms, the mean of an epoch


def main() -> None:
    options = parser().parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    settings = {"val_size": options.val_size, "backbone": options.backbone}
    task = load_task(TaskSpec(name=options.task, train_size=options.train_size, options=settings), options.data)
    methods, refused = {}, {}
    for config in configurations(options):
        try:
            methods[config.variant] = method(task, config, options.epochs + NOT_TIMED, device)
            next(methods[config.variant].steps)
        except (ValueError, RuntimeError) as error:
            methods.pop(config.variant, None)
            refused[config.variant] = str(error)
    rounds = [{name: next(each.steps) for name, each in methods.items()} for _ in range(options.epochs)]
    report(rounds, refused, options, device)


def parser() -> argparse.ArgumentParser:
    parsed = trial.parser(__doc__, task="digits", val_size=100)
    parsed.add_argument("--method", action="append", choices=[*REGULARIZERS], help="repeatable (default: all)")
    parsed.add_argument("--noise", action="append", help="of the methods that take one (default: dropout, pernodedrop)")
    return parsed


def configurations(options: argparse.Namespace) -> list[TrialConfig]:
    """The baselines, then every method with its defaults and with each name of one setting."""
    common = {"drop_rate": options.drop_rate, "units": options.units, "batch_size": options.batch_size}
    wanted = [name for name in options.method or REGULARIZERS if name not in BASELINES]
    found = []
    for regularizer in (*BASELINES, *wanted):
        named = REGULARIZERS.named(regularizer).options
        noises = (options.noise or ["dropout", "pernodedrop"]) if "noise" in named else [None]
        for noise in noises:
            chosen = {} if noise is None else {"noise": noise}
            variants = [chosen]
            for name, default in named.items():
                is_told = name in OPTIONS and OPTIONS[name].label and name != "noise"  # else its variants have one name
                domain = OPTIONS[name].domain if is_told else None
                others = [value for value in domain.names if value != default] if isinstance(domain, OneOf) else []
                variants += [{**chosen, name: value} for value in others]
            found += [TrialConfig(regularizer, extra=extra, **common) for extra in variants]
    return found


def method(task: Task, config: TrialConfig, epochs: int, device: torch.device) -> Method:
    training = Training(task, config, epochs=epochs, seed=0, device=device)
    steps = -(-len(task.splits(device).train_x) // config.batch_size)
    return Method(config.variant, (1e3 * epoch.metrics["train_seconds"] / steps for epoch in training.epochs()))


def report(
    rounds: list[dict[str, float]], refused: dict[str, str], options: argparse.Namespace, device: torch.device
) -> None:
    machine = description(device)
    title = f"{options.task}, {options.backbone}, batches of {options.batch_size}, {options.units} units, rate "
    title += f"{options.drop_rate}; {len(rounds)} epochs of {options.train_size} samples"
    table = Table(title=title)
    for heading in ("method", "ms a step", *(f"to {name}" for name in BASELINES)):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for name in rounds[0]:
        ratios = [statistics.median(turn[name] / turn[base] for turn in rounds) for base in BASELINES]
        table.add_row(
            name, f"{statistics.median(turn[name] for turn in rounds):.2f}", *(f"{each:.2f}" for each in ratios)
        )
    console = Console(width=140)
    console.print(table)
    for name, reason in refused.items():
        console.print(f"{name}: {reason}")
    console.print(machine)


if __name__ == "__main__":
    main()
