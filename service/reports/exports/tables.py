"""The tables of a study."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.reports.exports.runs import confirmation_table, trial_table
from service.reports.exports.table import Column, Kind, Table, mixed_column
from service.reports.found.knowledge import Estimates
from service.reports.found.records import TRAINED, Record, places, rate_of, records_table
from service.reports.found.results import Results
from service.storage.records import TrialRecord, seeds_of

TableName = Literal["records", "curves", "paper_table", "examinations", "detection", "trials", "confirmation"]
FIRST = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")  # metrics, as the paper's tables have them
ESTIMATED = tuple(
    f"{name}{difference}{bound}"
    for name in ("auroc", "fpr")
    for difference in ("", "_difference")  # to the control
    for bound in ("", "_low", "_high")
)
KINDS: Mapping[str, Kind] = {"variant": "text", "epoch": "int"}  # of a record's fields; the others are numbers


def record_table(results: Results) -> Table:
    """Every epoch of every complete or pruned run, of search and confirmation.

    Metrics are means over the run's seeds; its parameters follow.
    """
    trials, epochs = _trained(results), results.epochs.means
    place = places(epochs.run, [trial.run_id for trial in trials])
    rows = np.flatnonzero(place >= 0)
    rows = rows[np.argsort(place[rows], kind="stable")]
    at = place[rows]
    metrics = {name: np.where(epochs.measured(name)[rows], rows, -1) for name in _in_order(epochs.names)}
    trained = np.unique(at)
    parameters = sorted({name for trial in trials for name in trial.params})
    return {
        **_whose(trials, at),
        "state": Column("text", [str(trial.state) for trial in trials], at),
        "drop_rate": Column("float", [rate_of(results.study, trial) for trial in trials], at),
        "first_seed": _first_seed(results, trials, at),
        "epoch": Column("int", epochs.epoch[rows]),
        **{name: Column("float", epochs.column(name), there) for name, there in metrics.items() if (there >= 0).any()},
        **{f"params_{name}": _setting(trials, name, trained, at) for name in parameters},
    }


def curve_table(results: Results) -> Table:
    """Every point of every learning curve of complete and pruned runs, one seed at a time."""
    trials, epochs = _trained(results), results.epochs
    place = places(epochs.run, [trial.run_id for trial in trials])
    row, name, value = epochs.cells
    pairs = [name.partition("_")[::2] for name in epochs.names]
    rank = np.empty(len(pairs), np.int64)
    rank[sorted(range(len(pairs)), key=pairs.__getitem__)] = range(len(pairs))
    kept = np.flatnonzero(place[row] >= 0)
    kept = kept[np.lexsort((rank[name[kept]], row[kept], place[row[kept]]))]
    row, named = row[kept], name[kept].astype(np.int64)
    return {
        **_whose(trials, place[row]),
        "first_seed": _first_seed(results, trials, place[row]),
        "repeat": Column("int", epochs.repeat[row]),
        "epoch": Column("int", epochs.epoch[row]),
        "split": Column("text", [split for split, _ in pairs], named),
        "metric": Column("text", [metric for _, metric in pairs], named),
        "value": Column("float", value[kept]),
    }


def paper_table(results: Results) -> Table:
    """The paper's tables I to III: the best records of each variant, by validation loss."""
    rows = records_table(results.study, results.trials, results.epochs)
    return {
        field.name: Column(KINDS.get(field.name, "float"), [getattr(row, field.name) for row in rows])
        for field in fields(Record)
    }


def examination_table(results: Results) -> Table:
    """What the confirmation's models say of sets of inputs: a row for every run, seed and set, a column a figure."""
    place = {trial.run_id: at for at, trial in enumerate(results.confirmations)}
    rows = [one for one in results.examinations if one.run_id in place]
    at = np.array([place[one.run_id] for one in rows], np.int64)
    figures = sorted({name for one in rows for name in one.figures})
    trained = np.unique(at)
    parameters = sorted({name for index in trained.tolist() for name in results.confirmations[index].params})
    return {
        **_whose(results.confirmations, at),
        "drop_rate": Column("float", [rate_of(results.study, trial) for trial in results.confirmations], at),
        "first_seed": _first_seed(results, results.confirmations, at),
        "repeat": Column("int", [one.repeat for one in rows]),
        "epoch": Column("int", [one.epoch for one in rows]),
        **_of_set([(one.inputs, one.kind, one.level) for one in rows]),
        "passes": Column("int", [one.passes for one in rows]),
        **{name: Column("float", [_finite(one.figures.get(name)) for one in rows]) for name in figures},
        **{f"params_{name}": _setting(results.confirmations, name, trained, at) for name in parameters},
    }


def detection_table(results: Results) -> Table:
    """How well scores tell sets from the models' own inputs: a row for every run, set and score, with intervals."""
    known = results.knowledge
    rows = [] if known is None else [(*row, known.sizes(row[1].name)[0]) for row in known.detections()]
    inside = 0 if known is None else known.sizes(known.home)[0]
    trials = [one.trial for one, *_ in rows]
    told = [_numbers(estimates) for *_, estimates, _ in rows]
    return {
        **_whose(trials, np.arange(len(trials))),
        "drop_rate": Column("float", [rate_of(results.study, trial) for trial in trials]),
        **_of_set([(each.name, each.kind, each.level) for _, each, *_ in rows]),
        "score": Column("text", [score for _, _, score, *_ in rows]),
        "inside": Column("int", [inside] * len(rows)),
        "outside": Column("int", [outside for *_, outside in rows]),
        **{name: Column("float", [numbers.get(name) for numbers in told]) for name in ESTIMATED},
        "aupr": Column("float", [_finite(found.aupr) for _, _, _, found, *_ in rows]),
        "prevalence": Column("float", [_finite(found.prevalence) for _, _, _, found, *_ in rows]),
        "control": Column("text", [known.control.trial.variant for _ in rows] if known else []),
    }


TABLES: Mapping[TableName, Callable[[Results], Table]] = {
    "records": record_table,
    "curves": curve_table,
    "paper_table": paper_table,
    "examinations": examination_table,
    "detection": detection_table,
    "trials": trial_table,
    "confirmation": confirmation_table,
}


def _trained(results: Results) -> list[TrialRecord]:
    return [trial for trial in (*results.trials, *results.confirmations) if trial.state in TRAINED]


def _whose(trials: Sequence[TrialRecord], at: NDArray[np.int64]) -> Table:
    """The columns that identify a row's run; a run of the confirmation has no trial number."""
    return {
        "run": Column("int", [trial.run_id for trial in trials], at),
        "trial": Column("int", [trial.number for trial in trials], at),
        "stage": Column("text", [str(trial.stage) for trial in trials], at),
        "variant": Column("text", [trial.variant for trial in trials], at),
    }


def _first_seed(results: Results, trials: Sequence[TrialRecord], at: NDArray[np.int64]) -> Column:
    """The number among the study's seeds of each run's repeat 0; that of another is `repeat` more."""
    return Column("int", [seeds_of(results.study.definition, trial).start for trial in trials], at)


def _of_set(sets: Sequence[tuple[str, str, int]]) -> Table:
    names: tuple[tuple[str, Kind], ...] = (("inputs", "text"), ("kind", "text"), ("level", "int"))
    return {name: Column(kind, [each[i] for each in sets]) for i, (name, kind) in enumerate(names)}


def _numbers(estimates: Estimates) -> dict[str, float]:
    """The estimates by the names of their columns."""
    told: dict[str, float] = {}
    for name, pair in estimates.items():
        for column, one in zip((name, f"{name}_difference"), pair, strict=True):
            if one is not None:
                each = {column: one.value}
                if not one.is_point:
                    each |= {f"{column}_low": one.low, f"{column}_high": one.high}
                told |= {name: value for name, value in each.items() if math.isfinite(value)}
    return told


def _setting(trials: Sequence[TrialRecord], name: str, trained: NDArray[np.int64], at: NDArray[np.int64]) -> Column:
    """A parameter; only the trials of the table's rows decide what kind it is."""
    values: list[Any] = [None] * len(trials)
    for place in trained.tolist():
        values[place] = trials[place].params.get(name)
    return mixed_column(values, at)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
