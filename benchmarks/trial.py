"""What an epoch costs: every variant beside Dropout, and our loop beside a plain PyTorch DataLoader loop.

    python -m benchmarks.trial [--task cifar10] [--backbone paper] [--epochs 9] [--train-size 1000] [--without-avx512]

All train the same backbone in one process and take turns epoch by epoch, so that a noisy neighbour meets every
one of them; a first epoch of each is left out. Figures are medians: seconds of the steps alone and of the whole
epoch with its evaluation, and the median over the epochs of the ratio to Dropout in the same turn; in the last
column the ratio that the paper's table 4 prints. Below the variants stand Dropout in mixed precision
(`task.precision: bfloat16`) and Dropout in the plain loop of `plain_loop.py`.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from rich.console import Console
from rich.table import Table

from benchmarks.gpu.machine import processor
from benchmarks.layers import WITHOUT_AVX512
from benchmarks.plain_loop import plain_epochs
from search_spaces import TaskSpec, TrialConfig
from service.reports.paper import published_epoch_seconds
from service.settings import Settings
from workers.tasks import Task, load_task
from workers.training import Training

BASELINE = "dropout"
MIXED = "dropout, bfloat16"
PLAIN = "dropout, plain DataLoader loop"
REGULARIZERS = ("none", BASELINE, "gaussian_dropout", "dropconnect", "masksembles")
NOT_TIMED = 1  # epochs of each before the first turn


@dataclass(frozen=True)
class Contestant:
    """Something that trains one epoch after another, and says what the steps and the whole epoch took."""

    name: str
    backend: str
    epochs: Iterator[tuple[float, float]]  # s


def main() -> None:
    options = parser().parse_args()
    if options.without_avx512:
        os.environ.update(WITHOUT_AVX512)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    settings = {"val_size": options.val_size, "backbone": options.backbone}
    spec = TaskSpec(name=options.task, train_size=options.train_size, options=settings)
    task = load_task(spec, options.data)
    mixed = load_task(spec.model_copy(update={"precision": "bfloat16"}), options.data)
    configs = configurations(options)
    count = options.epochs + NOT_TIMED
    contestants = [ours(config.variant, task, config, count, device) for config in configs]
    dropout = next(config for config in configs if config.variant == BASELINE)
    contestants.append(ours(MIXED, mixed, dropout, count, device))
    contestants.append(Contestant(PLAIN, "torch", plain_epochs(task, dropout, device)))
    rounds = [[next(contestant.epochs) for contestant in contestants] for _ in range(count)]
    report(contestants, rounds[NOT_TIMED:], options)


def parser(description: str | None = __doc__, *, task: str = "cifar10", val_size: int = 250) -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    cuda = torch.cuda.is_available()
    for name, kind, default, text in (
        ("--task", str, task, "a built-in task"),
        ("--backbone", str, "paper", "one of the task's backbones"),
        ("--epochs", int, 9, "epochs timed, after one that is not"),
        ("--train-size", int, 1000, "training samples"),
        ("--val-size", int, val_size, "validation samples"),
        ("--batch-size", int, 128, "samples a step"),
        ("--units", int, 64, "units of the regularized layer"),
        ("--drop-rate", float, 0.5, "drop rate of every variant"),
        ("--device", str, "cuda:0" if cuda else "cpu", "cpu or cuda:N"),
        ("--threads", int, 0, "CPU threads, 0 for torch's choice"),
        ("--data", Path, Settings.from_environment().data_folder, "data folder"),
    ):
        parsed.add_argument(name, type=kind, default=default, help=f"{text} (default: {default})")
    parsed.add_argument("--without-avx512", action="store_true", help="as on a processor that has AVX2")
    return parsed


def configurations(options: argparse.Namespace) -> list[TrialConfig]:
    common = {"drop_rate": options.drop_rate, "units": options.units, "batch_size": options.batch_size}
    plain_ones = [TrialConfig(regularizer=name, **common) for name in REGULARIZERS]
    stirred = [
        TrialConfig(regularizer="pernodedrop", stir_type=stir, mask_mode=mode, noisy_fraction=0.5, **common)
        for stir, mode in product(("bernoulli", "gaussian", "partial_gaussian"), ("dynamic", "fixed"))
    ]
    return plain_ones + stirred


def ours(name: str, task: Task, config: TrialConfig, epochs: int, device: torch.device) -> Contestant:
    training = Training(task, config, epochs=epochs, seed=0, device=device)
    timings = ((epoch.metrics["train_seconds"], epoch.seconds) for epoch in training.epochs())
    return Contestant(name, str(training.facts["backend"]), timings)


def report(contestants: list[Contestant], rounds: list[list[tuple[float, float]]], options: argparse.Namespace) -> None:
    from pernodedrop.backends.cpu.processor import instructions  # numba reads its settings when it is imported

    baseline = [contestant.name for contestant in contestants].index(BASELINE)
    published = published_epoch_seconds(options.task) if options.backbone == "paper" else {}
    on = processor() if options.device == "cpu" else torch.cuda.get_device_name(options.device)
    where = f"{on}, {instructions()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    title = f"{options.task}, {options.backbone}, {options.train_size} + {options.val_size} samples, {options.units} "
    title += f"units, rate {options.drop_rate}, batches of {options.batch_size}; {len(rounds)} epochs; {where}"
    table = Table(title=title)
    for heading in ("variant", "backend", "steps s", "epoch s", "steps ratio", "epoch ratio", "paper's"):
        table.add_column(heading, justify="left" if heading in ("variant", "backend") else "right")
    for place, contestant in enumerate(contestants):
        mine, its = [turn[place] for turn in rounds], [turn[baseline] for turn in rounds]
        figures = [statistics.median(timing[part] for timing in mine) for part in (0, 1)]
        figures += [
            statistics.median(own[part] / base[part] for own, base in zip(mine, its, strict=True)) for part in (0, 1)
        ]
        printed = published.get(contestant.name)
        paper = "" if printed is None else f"{printed[0] / published[BASELINE][0]:.2f}"
        table.add_row(contestant.name, contestant.backend, *(f"{figure:.3f}" for figure in figures), paper)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
