"""The tables of docs/results.md: every variant's best configuration beside that of one of them, seed by seed.

    pernodedrop report STUDY -f parquet -o results
    python docs/examples/paired_table.py results [--to dropout] [--figure test_accuracy] [--digits 3]

A seed counts at the epoch that is best by validation loss. The search chooses a variant's configuration by its mean
over the search's seeds; what the confirmation measured stands beside it, where there is one. Differences are paired
over the seeds; every interval stands for itself (95 %).
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean

from pyarrow import parquet

from search_spaces.objective import Objective, best_epoch
from service.reports.found.epochs import by_repeat
from service.statistics import Interval, PairedDifference, mean_interval, paired_difference
from service.storage.records import CurvePoint

LEAST_LOSS = Objective(metric="val_loss")


@dataclass(frozen=True)
class Trained:
    """A configuration's metrics at the best epoch of each seed."""

    stage: str
    variant: str
    rate: float | None
    seeds: Sequence[Mapping[str, float]]

    def values(self, metric: str) -> list[float]:
        return [seed[metric] for seed in self.seeds]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with curves.parquet and records.parquet")
    parser.add_argument("--to", default="dropout", help="the variant that others are compared with (default: dropout)")
    parser.add_argument("--figure", help="a metric of the confirmation to add, such as test_accuracy")
    parser.add_argument("--digits", type=int, default=3)
    options = parser.parse_args()
    found = list(trained(options.folder))
    for stage in {one.stage for one in found}:
        if not any(one.variant == options.to for one in found if one.stage == stage):
            parser.error(f"no {options.to} was trained to its end in the {stage}: there is nothing to compare with")
    table = rows(found, options.to, options.figure, options.digits)
    to = f"to {options.to}"
    header = ["variant", "best rate", "val_loss", "by seed", to, "test_loss, fresh seeds (95 %)", to, options.figure]
    header = header[: len(table[0])]
    for row in (header, ["---"] * len(header), *table):
        print(f"| {' | '.join(row)} |")


def trained(folder: Path) -> Iterator[Trained]:
    """Every complete run."""
    runs = {row["run"]: row for row in parquet.read_table(folder / "records.parquet").to_pylist()}
    points = defaultdict(list)
    for row in parquet.read_table(folder / "curves.parquet").to_pylist():
        points[row["run"]].append(CurvePoint(**{field.name: row[field.name] for field in fields(CurvePoint)}))
    for run, row in runs.items():
        if row["state"] == "complete":
            best = [best_epoch(epochs, LEAST_LOSS) for epochs in by_repeat(points[run]).values()]
            seeds = [epoch.metrics for epoch in best if epoch is not None]
            yield Trained(row["stage"], row["variant"], row["drop_rate"], seeds)


def rows(found: Sequence[Trained], to: str, figure: str | None, digits: int) -> list[list[str]]:
    best: dict[str, Trained] = {}
    for one in sorted(found, key=lambda one: fmean(one.values("val_loss"))):
        if one.stage == "search":
            best.setdefault(one.variant, one)
    confirmed = {(one.variant, one.rate): one for one in found if one.stage == "confirmation"}
    base = best[to]
    table = []
    for one in best.values():
        row = _searched(one, base, digits)
        again = confirmed.get((one.variant, one.rate))
        if again is not None:
            row += _confirmed(again, confirmed[to, base.rate], figure, digits)
        table.append(row)
    return table


def _searched(one: Trained, base: Trained, digits: int) -> list[str]:
    losses = one.values("val_loss")
    rate = "" if one.rate is None else f"{one.rate:g}"
    each = ", ".join(f"{loss:.{digits}f}" for loss in losses)
    return [one.variant, rate, f"{fmean(losses):.{digits}f}", each, _difference(one, base, "val_loss", digits)]


def _confirmed(one: Trained, base: Trained, figure: str | None, digits: int) -> list[str]:
    losses = one.values("test_loss")
    told = [_around(fmean(losses), mean_interval(losses), digits), _difference(one, base, "test_loss", digits)]
    return told if figure is None else [*told, f"{fmean(one.values(figure)):.3f}"]


def _difference(one: Trained, base: Trained, metric: str, digits: int) -> str:
    if one is base:
        return "0"
    found = paired_difference(one.values(metric), base.values(metric))
    return _around(found.mean, found, digits, "+")


def _around(mean: float, bounds: Interval | PairedDifference, digits: int, sign: str = "") -> str:
    return f"{mean:{sign}.{digits}f} ({bounds.low:{sign}.{digits}f} to {bounds.high:{sign}.{digits}f})"


if __name__ == "__main__":
    main()
