"""The tables of a study."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Literal

from service.reports.exports.table import Column, Kind, Table, mixed_column
from service.reports.found.epochs import mean_epochs
from service.reports.found.records import TRAINED, Record, rate_of, records_table
from service.reports.found.results import Results
from service.storage.records import CurvePoint, TrialRecord

TableName = Literal["records", "curves", "paper_table"]
FIRST = ("val_accuracy", "val_loss", "train_loss", "train_accuracy")  # metrics, as the paper's tables have them
KINDS: Mapping[str, Kind] = {"variant": "text", "epoch": "int"}  # of a record's fields; the others are numbers


def record_table(results: Results) -> Table:
    """Every epoch of every complete or pruned run, of search and confirmation.

    Metrics are means over the run's seeds; its parameters follow.
    """
    epochs = [(trial, epoch) for trial in _trained(results) for epoch in mean_epochs(_points(results, trial))]
    metrics = _in_order({name for _, epoch in epochs for name in epoch.metrics})
    parameters = sorted({name for trial in _trained(results) for name in trial.params})
    return {
        **_whose([trial for trial, _ in epochs]),
        "state": Column("text", [str(trial.state) for trial, _ in epochs]),
        "drop_rate": Column("float", [rate_of(results.study, trial) for trial, _ in epochs]),
        "epoch": Column("int", [epoch.number for _, epoch in epochs]),
        **{name: Column("float", [epoch.metrics.get(name) for _, epoch in epochs]) for name in metrics},
        **{f"params_{name}": mixed_column(trial.params.get(name) for trial, _ in epochs) for name in parameters},
    }


def curve_table(results: Results) -> Table:
    """Every point of every learning curve of complete and pruned runs, one seed at a time."""
    points = [(trial, point) for trial in _trained(results) for point in _points(results, trial)]
    return {
        **_whose([trial for trial, _ in points]),
        "repeat": Column("int", [point.repeat for _, point in points]),
        "epoch": Column("int", [point.epoch for _, point in points]),
        "split": Column("text", [point.split for _, point in points]),
        "metric": Column("text", [point.metric for _, point in points]),
        "value": Column("float", [point.value for _, point in points]),
    }


def paper_table(results: Results) -> Table:
    """The paper's tables I to III: the best records of each variant, by validation loss."""
    rows = records_table(results.study, results.trials, results.curves)
    return {
        field.name: Column(KINDS.get(field.name, "float"), [getattr(row, field.name) for row in rows])
        for field in fields(Record)
    }


TABLES: Mapping[TableName, Callable[[Results], Table]] = {
    "records": record_table,
    "curves": curve_table,
    "paper_table": paper_table,
}


def _trained(results: Results) -> list[TrialRecord]:
    return [trial for trial in (*results.trials, *results.confirmations) if trial.state in TRAINED]


def _whose(trials: Sequence[TrialRecord]) -> Table:
    """The columns that identify a row's run; a run of the confirmation has no trial number."""
    return {
        "run": Column("int", [trial.run_id for trial in trials]),
        "trial": Column("int", [trial.number for trial in trials]),
        "stage": Column("text", [str(trial.stage) for trial in trials]),
        "variant": Column("text", [trial.variant for trial in trials]),
    }


def _points(results: Results, trial: TrialRecord) -> Sequence[CurvePoint]:
    return results.curves.get(trial.run_id, ())


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
