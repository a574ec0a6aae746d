"""The tables of the PerNodeDrop paper (arXiv:2512.12663) as printed, to compare our own results with."""

import csv
from functools import cache
from importlib.resources import files

from service.reports.found.records import Record

TABLES = {"cifar10": "table1_cifar10.csv", "rcv1": "table2_rcv1.csv", "speech_commands": "table3_speech_commands.csv"}
NAMES = {
    "Dropout": "dropout",
    "GaussianDropout": "gaussian_dropout",
    "DropConnect": "dropconnect",
    "MaskEnsemble": "masksembles",
    "PerNodeBernoulli": "pernodedrop-bernoulli-dynamic",
    "PerNodeBernoulli_F": "pernodedrop-bernoulli-fixed",
    "PerNodeGaussian": "pernodedrop-gaussian-dynamic",
    "PerNodeGaussian_F": "pernodedrop-gaussian-fixed",
}


@cache
def published_records(task: str) -> tuple[Record, ...]:
    """Tables I to III: the task's printed records, at most three of each variant; () for other tasks."""
    if task not in TABLES:
        return ()
    return tuple(
        Record(
            variant=NAMES[row["variant"]],
            drop_rate=float(row["drop_rate"]),
            epoch=int(row["epoch"]),
            val_accuracy=float(row["val_accuracy"]),
            val_loss=float(row["val_loss"]),
            train_loss=float(row["train_loss"]),
            train_accuracy=float(row["train_accuracy"]),
        )
        for row in _rows(TABLES[task])
    )


@cache
def published_mean_ranks(task: str) -> dict[str, float]:
    """Table V: mean ranks of each variant's five best records; {} for other tasks."""
    rows = [row for row in _rows("table5_mean_ranks.csv") if row["dataset"] == task]
    return {NAMES[row["variant"]]: float(row["mean_rank"]) for row in rows}


@cache
def published_epoch_seconds(task: str) -> dict[str, tuple[float, float]]:
    """Table IV: mean and standard deviation of an epoch's seconds on the authors' machine; {} for other tasks."""
    rows = [row for row in _rows("table4_epoch_seconds.csv") if row["dataset"] == task]
    return {NAMES[row["variant"]]: (float(row["mean_seconds"]), float(row["std_seconds"])) for row in rows}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("service.reports.paper").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
