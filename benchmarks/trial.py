"""What an epoch costs: every variant beside Dropout, and our loop beside a plain PyTorch DataLoader loop.

    python benchmarks/trial.py [--task cifar10] [--epochs 5] [--train-size 2000]

All train the same backbone in one process and take turns epoch by epoch, so that a noisy neighbour meets every
one of them; a first epoch of each is left out. Figures are medians: seconds of the steps alone and of the whole
epoch with its evaluation, and the median over the epochs of the ratio to Dropout in the same turn. The plain
loop is the usual one: torch's default layout, a shuffling DataLoader, Adam, `loss.item()` at every step, and
the same two splits evaluated through DataLoaders.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

# A neighbour of this file bears the name of a standard module, which must not be taken from its folder.
sys.path[:] = [path for path in sys.path if Path(path) != Path(__file__).parent.resolve()]

import argparse
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from search_spaces import TaskSpec, TrialConfig
from service.settings import Settings
from workers.tasks import Task, load_task
from workers.training import Training

BASELINE = "dropout"
PLAIN = "dropout, plain DataLoader loop"
REGULARIZERS = ("none", BASELINE, "gaussian_dropout", "dropconnect", "masksembles")


@dataclass(frozen=True)
class Timing:
    """Seconds of one epoch."""

    steps: float
    whole: float


@dataclass(frozen=True)
class Contestant:
    """Something that trains one epoch after another."""

    name: str
    backend: str
    epochs: Iterator[Timing]


def main() -> None:
    options = parser().parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    spec = TaskSpec(name=options.task, train_size=options.train_size, options={"val_size": options.val_size})
    task = load_task(spec, options.data)
    contestants = [ours(task, config, options.epochs + 1, device) for config in configurations(options)]
    contestants.append(plain(task, next(c for c in configurations(options) if c.variant == BASELINE), device))
    rounds = [[next(contestant.epochs) for contestant in contestants] for _ in range(options.epochs + 1)]
    report(contestants, rounds[1:], options)


def parser() -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cuda = torch.cuda.is_available()
    for name, kind, default, text in (
        ("--task", str, "cifar10", "a task of images"),
        ("--epochs", int, 5, "epochs timed, after one that is not"),
        ("--train-size", int, 2000, "training samples"),
        ("--val-size", int, 500, "validation samples"),
        ("--batch-size", int, 128, "samples a step"),
        ("--units", int, 64, "units of the regularized layer"),
        ("--drop-rate", float, 0.5, "drop rate of every variant"),
        ("--device", str, "cuda:0" if cuda else "cpu", "cpu or cuda:N"),
        ("--threads", int, 0, "CPU threads, 0 for torch's choice"),
        ("--data", Path, Settings.from_environment().data_folder, "data folder"),
    ):
        parsed.add_argument(name, type=kind, default=default, help=f"{text} (default: {default})")
    return parsed


def configurations(options: argparse.Namespace) -> list[TrialConfig]:
    common = {"drop_rate": options.drop_rate, "units": options.units, "batch_size": options.batch_size}
    plain_ones = [TrialConfig(regularizer=name, **common) for name in REGULARIZERS]
    stirred = [
        TrialConfig(regularizer="pernodedrop", stir_type=stir, mask_mode=mode, noisy_fraction=0.5, **common)
        for stir, mode in product(("bernoulli", "gaussian", "partial_gaussian"), ("dynamic", "fixed"))
    ]
    return plain_ones + stirred


def ours(task: Task, config: TrialConfig, epochs: int, device: torch.device) -> Contestant:
    training = Training(task, config, epochs=epochs, seed=0, device=device)
    timings = (Timing(epoch.metrics["train_seconds"], epoch.seconds) for epoch in training.epochs())
    return Contestant(config.variant, str(training.facts["backend"]), timings)


def plain(task: Task, config: TrialConfig, device: torch.device) -> Contestant:
    return Contestant(PLAIN, "torch", plain_epochs(task, config, device))


def plain_epochs(task: Task, config: TrialConfig, device: torch.device) -> Iterator[Timing]:
    """The loop of a tutorial: no trick, no mistake."""
    data = task.splits(torch.device("cpu"))
    train = TensorDataset(data.train_x.contiguous(), data.train_y)
    val = TensorDataset(data.val_x.contiguous(), data.val_y)
    batches = DataLoader(train, batch_size=config.batch_size, shuffle=True, pin_memory=device.type == "cuda")
    model = task.build(config).to(device, memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate)
    while True:
        started = time.perf_counter()
        model.train()
        running = 0.0
        for x, y in batches:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            running += loss.item()
        trained = time.perf_counter()
        for split in (train, val):
            plain_evaluation(model, DataLoader(split, batch_size=config.batch_size), device)
        yield Timing(trained - started, time.perf_counter() - started)


def plain_evaluation(model: nn.Module, batches: DataLoader, device: torch.device) -> tuple[float, float]:
    model.eval()
    loss, correct, samples = 0.0, 0, 0
    with torch.no_grad():
        for x, y in batches:
            outputs, targets = model(x.to(device)), y.to(device)
            loss += nn.functional.cross_entropy(outputs, targets, reduction="sum").item()
            correct += int((outputs.argmax(1) == targets).sum().item())
            samples += len(targets)
    return loss / samples, correct / samples


def report(contestants: list[Contestant], rounds: list[list[Timing]], options: argparse.Namespace) -> None:
    baseline = [contestant.name for contestant in contestants].index(BASELINE)
    where = f"{options.device}, {torch.get_num_threads()} threads, {platform.machine()}, torch {torch.__version__}"
    title = f"{options.task}, {options.train_size} + {options.val_size} samples, {options.units} units, batches of "
    title += f"{options.batch_size}; medians of {len(rounds)} epochs; {where}"
    table = Table(title=title)
    for heading in ("variant", "backend", "steps s", "epoch s", "steps / Dropout's", "epoch / Dropout's"):
        table.add_column(heading, justify="left" if heading in ("variant", "backend") else "right")
    for place, contestant in enumerate(contestants):
        row = [turn[place] for turn in rounds]
        base = [turn[baseline] for turn in rounds]
        figures = (
            statistics.median(timing.steps for timing in row),
            statistics.median(timing.whole for timing in row),
            statistics.median(mine.steps / its.steps for mine, its in zip(row, base, strict=True)),
            statistics.median(mine.whole / its.whole for mine, its in zip(row, base, strict=True)),
        )
        table.add_row(contestant.name, contestant.backend, *(f"{figure:.3f}" for figure in figures))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
