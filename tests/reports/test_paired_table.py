"""The example that makes the tables of docs/results.md out of a study's Parquet files."""

import subprocess
import sys
from pathlib import Path

from service.reports.exports import TABLES, TableName, parquet_of
from service.reports.found.results import Results
from tests.reports.samples import curve_of, params_of, study_of, trial_of
from tests.reports.test_confirmation import CLEAR, points_of, run_of

EXAMPLE = Path(__file__).parents[2] / "docs/examples/paired_table.py"
TABLES_READ: tuple[TableName, ...] = ("records", "curves")


def test_the_table_has_the_search_beside_the_confirmation(tmp_path: Path) -> None:
    searched = [trial_of(i, [0.3], params=params_of(variant, drop_rate=0.2)) for i, variant in enumerate(CLEAR)]
    confirmed = [run_of(place, variant) for place, variant in enumerate(CLEAR)]
    curves = {trial.run_id: curve_of(0.3 - i / 10, 3) + curve_of(0.4, 3, repeat=1) for i, trial in enumerate(searched)}
    curves |= {run.run_id: points_of(CLEAR[run.variant]) for run in confirmed}
    results = Results(study_of(searched, repeats=2, confirmation={"repeats": 5}), searched, curves, confirmed)
    for name in TABLES_READ:
        (tmp_path / f"{name}.parquet").write_bytes(parquet_of(TABLES[name](results)))
    written = subprocess.run([sys.executable, EXAMPLE, tmp_path], capture_output=True, text=True, check=True).stdout
    _, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in written.splitlines()]
    assert [row[:4] for row in rows] == [
        ["dropconnect", "0.2", "0.300", "0.200, 0.400"],
        ["dropout", "0.2", "0.350", "0.300, 0.400"],
    ]
    (better, _), (worse, to) = ((row[5].partition(" ")[0], row[6]) for row in rows)
    assert (better, worse, to) == ("0.108", "0.300", "0")
