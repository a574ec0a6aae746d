"""Capsules that were changed, with a manifest that fits the change."""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from service.storage.capsule import packed
from service.storage.provenance import digest_of

Change = Callable[[dict[str, bytes]], None]


def files_in(capsule: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(capsule) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name != "manifest.json"}


def changed(capsule: Path, *changes: Change) -> Path:
    """Another capsule beside this one, with these changes of its files."""
    files = files_in(capsule)
    for change in changes:
        change(files)
    path = capsule.with_name("changed.zip")
    path.write_bytes(packed("packed", files, {}))
    return path


def with_json(name: str, edit: Callable[[Any], None]) -> Change:
    def change(files: dict[str, bytes]) -> None:
        data = json.loads(files[name])
        edit(data)
        files[name] = json.dumps(data).encode()

    return change


def with_figure(run: int, epoch: int, metric: str, factor: float) -> Change:
    """One figure of the run's validation, of its first seed, times `factor`."""

    def change(files: dict[str, bytes]) -> None:
        table = pq.read_table(io.BytesIO(files["curves.parquet"]))
        rows = table.to_pylist()
        where = {"run": run, "repeat": 0, "epoch": epoch, "split": "val", "metric": metric}
        [row] = [row for row in rows if where.items() <= row.items()]
        row["value"] *= factor
        written = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, table.schema), written)
        files["curves.parquet"] = written.getvalue()

    return change


def with_origin(group: str, facts: Mapping[str, str]) -> Change:
    """Other facts of where every run came from."""

    def change(files: dict[str, bytes]) -> None:
        [(old, content)] = json.loads(files["provenance.json"]).items()
        content[group] |= facts
        new = digest_of(content)
        files["provenance.json"] = json.dumps({new: content}).encode()
        files["runs.json"] = files["runs.json"].replace(old.encode(), new.encode())

    return change
