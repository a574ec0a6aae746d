"""Tables as CSV and Parquet."""

import csv
import io
import sys
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from pernodedrop.installation import MissingPackage
from service.reports import Results
from service.reports.exports import TABLES, Column, TableName, csv_of, parquet_of
from service.reports.exports.table import mixed_column
from service.storage.states import RunState, Stage
from tests.reports.knowing import known
from tests.reports.samples import curve_of, params_of, searched, study_of, trial_of

RESULTS = Results(*searched(40, repeats=2))
EMPTY = Results(study_of(), [], {})


def read_csv(results: Results, table: TableName) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(TABLES[table](results)).decode())))


def read_parquet(results: Results, table: TableName) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(parquet_of(TABLES[table](results)))).to_pylist()
    return rows


def test_records_have_every_epoch_of_complete_and_pruned_trials() -> None:
    rows = read_parquet(RESULTS, "records")
    trained = [trial for trial in RESULTS.trials if trial.state in (RunState.COMPLETE, RunState.PRUNED)]
    assert [(row["trial"], row["epoch"]) for row in rows] == [
        (t.number, e + 1) for t in trained for e in range(t.epoch)
    ]
    last = [row for row in rows if row["trial"] == trained[0].number][-1]
    points = [p.value for p in RESULTS.curves[trained[0].run_id] if (p.split, p.metric, p.epoch) == ("val", "loss", 8)]
    assert last["val_loss"] == pytest.approx(sum(points) / 2)
    assert (last["state"], last["variant"], last["drop_rate"]) == ("complete", "dropout", last["params_drop_rate"])
    assert last["params_units"] in (32, 64, 128)


def test_runs_of_the_confirmation_stand_among_the_records() -> None:
    again = replace(trial_of(9, [0.2]), stage=Stage.CONFIRMATION, number=None)
    curves = {**RESULTS.curves, again.run_id: curve_of(0.2, 8)}
    rows = read_parquet(Results(RESULTS.study, RESULTS.trials[:1], curves, [again]), "records")
    assert [row["stage"] for row in rows] == ["search"] * 8 + ["confirmation"] * 8
    assert (rows[-1]["run"], rows[-1]["trial"]) == (again.run_id, None)


def test_curves_keep_the_seeds_apart() -> None:
    rows = read_parquet(RESULTS, "curves")
    trained = [t.run_id for t in RESULTS.trials if t.state in (RunState.COMPLETE, RunState.PRUNED)]
    assert len(rows) == sum(len(RESULTS.curves[run]) for run in trained)
    assert {row["repeat"] for row in rows} == {0, 1}
    assert {(row["split"], row["metric"]) for row in rows} >= {("val", "loss"), ("train", "seconds")}


def test_the_papers_table_has_the_columns_of_the_papers_table() -> None:
    trials = [trial_of(0, [0.3])]
    rows = read_csv(Results(study_of(trials), trials, {100: curve_of(0.3, 8)}), "paper_table")
    assert len(rows) == 3
    expected = ["variant", "drop_rate", "epoch", "val_accuracy", "val_loss", "train_loss", "train_accuracy"]
    assert list(rows[0]) == expected
    assert float(rows[0]["val_loss"]) == pytest.approx(0.3)
    assert [float(row["val_loss"]) for row in rows] == sorted(float(row["val_loss"]) for row in rows)


@pytest.mark.parametrize("table", TABLES)
def test_both_formats_say_the_same(table: TableName) -> None:
    results = known() if table in ("examinations", "detection", "confirmation") else RESULTS
    written, typed = read_csv(results, table), read_parquet(results, table)
    assert len(written) == len(typed) > 0
    assert [list(row) for row in written] == [list(row) for row in typed]
    for text, row in zip(written, typed, strict=True):
        assert text == {name: "" if value is None else str(value) for name, value in row.items()}


@pytest.mark.parametrize("table", TABLES)
def test_a_study_without_trials_has_a_header_alone(table: TableName) -> None:
    assert read_parquet(EMPTY, table) == read_csv(EMPTY, table) == []
    assert csv_of(TABLES[table](EMPTY)).startswith((b"run,", b"variant,"))


def test_words_with_commas_quotes_and_line_breaks_come_back() -> None:
    evil = 'a,"b"\nc'
    trials = [trial_of(0, [0.3], params=params_of("dropout", note=evil))]
    results = Results(study_of(trials), trials, {100: curve_of(0.3, 1)})
    assert read_csv(results, "records")[0]["params_note"] == read_parquet(results, "records")[0]["params_note"] == evil


@pytest.mark.parametrize(
    ("values", "kind", "held"),
    [
        ([1, None], "int", [1, None]),
        ([1, 0.5], "float", [1.0, 0.5]),
        ([True, None], "bool", [True, None]),
        ([True, 1], "text", ["True", "1"]),
        (["relu", 3], "text", ["relu", "3"]),
        ([None], "text", [None]),
    ],
)
def test_settings_of_several_types_share_a_column(values: list[Any], kind: str, held: list[Any]) -> None:
    column = mixed_column(values)
    assert (column.kind, column.values) == (kind, held)


def test_without_pyarrow_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # what an import of it meets where it is not installed
    with pytest.raises(MissingPackage, match=r"^Parquet needs pyarrow.*: pip install 'pernodedrop\[export\]'$"):
        parquet_of(TABLES["records"](RESULTS))


def test_a_spreadsheet_computes_no_text() -> None:
    formulas = ["=1+1", "+A1", "-A1", "@x", "\tx", "\rx", "\uff1d1", "'=1", "-"]
    others = ["-0.5", "+1e-3", "plain", "'quoted'", "a\rb", None]
    texts = [*formulas, *others]
    written = list(csv.reader(io.StringIO(csv_of({"=name": Column("text", texts)}).decode(), newline="")))
    cells = [row[0] if row else "" for row in written]
    assert cells == ["'=name", *(f"'{text}" for text in formulas), *(text or "" for text in others)]
    numbers = csv_of({"value": Column("float", [-0.5, 1e-9, None]), "count": Column("int", [-1, 2, 3])})
    assert numbers.decode().splitlines() == ["value,count", "-0.5,-1", "1e-09,2", ",3"]
