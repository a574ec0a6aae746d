"""A study's learning curves in columns, by Postgres's binary COPY: objects would take ten times the memory and time."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg2
import sqlalchemy as sa
from numpy.typing import NDArray

from search_spaces.objective import metric_name
from service.storage.database.database import Database
from service.storage.database.tables import curves, runs

_HEADER = 19  # bytes of the format before its rows
_PIECE = 1 << 20  # bytes that are taken at once
# A row of the format: the number of its fields, then each field's length and value, big-endian.
_FIELDS = {"run": ">i8", "repeat": ">i4", "epoch": ">i4", "name": ">i4", "value": ">f8"}
_ROW = np.dtype(
    [("fields", ">i2")] + [pair for name, kind in _FIELDS.items() for pair in ((f"{name}_length", ">i4"), (name, kind))]
)
_KEY = np.dtype([("run", "i8"), ("repeat", "i4"), ("epoch", "i4")])
_CELL = np.dtype([("row", "i4"), ("name", "i4"), ("value", "f8")])
_POINTS = """
    COPY (
        SELECT c.run_id, c.repeat::int4, c.epoch, n.number::int4, c.value
        FROM fleet.curves c JOIN fleet.runs r ON r.id = c.run_id
        JOIN unnest(%s::text[], %s::text[]) WITH ORDINALITY n(split, metric, number)
            ON n.split = c.split AND n.metric = c.metric
        WHERE r.study_id = %s AND (r.ordinal %% %s = 0 OR r.id = ANY(%s::bigint[]))
        ORDER BY c.run_id, c.repeat, c.epoch
    ) TO STDOUT (FORMAT binary)
"""


@dataclass(frozen=True)
class CurveColumns:
    """A row for every epoch of every training, by run, repeat and epoch, and a cell for every number measured there."""

    run: NDArray[np.int64]
    repeat: NDArray[np.int32]
    epoch: NDArray[np.int32]
    row: NDArray[np.int32]  # of each cell, rising
    name: NDArray[np.int32]  # of each cell, an index of `names`
    value: NDArray[np.float64]
    names: tuple[str, ...]  # "<split>_<metric>"


def of_study(db: Database, study_id: int, every: int = 1, besides: Sequence[int] = ()) -> CurveColumns:
    """Return the points of the study's runs: of every `every`-th in the queue, and of the runs in `besides`.

    Raises sqlalchemy.exc.DBAPIError.
    """
    with db.engine.connect() as connection:
        chosen = sa.or_(runs.c.ordinal % every == 0, runs.c.id.in_(besides))
        pairs = sa.select(curves.c.split, curves.c.metric).join(runs, runs.c.id == curves.c.run_id).distinct()
        found = connection.execute(pairs.where(runs.c.study_id == study_id, chosen)).all()
        splits, metrics = [row.split for row in found], [row.metric for row in found]
        points = _Points()
        given = (splits, metrics, study_id, every, list(besides))
        try:
            cursor: Any
            with contextlib.closing(connection.connection.cursor()) as cursor:
                cursor.copy_expert(cursor.mogrify(_POINTS, given).decode(), points)
        except psycopg2.Error as error:
            raise sa.exc.DBAPIError.instance(_POINTS, given, error, psycopg2.Error) from error
    return points.columns(metric_name(*pair) for pair in zip(splits, metrics, strict=True))


class _Points:
    """Receives the COPY in pieces and keeps what each point adds."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._begun = False
        self._last: tuple[int, int, int] | None = None
        self._rows = 0
        self._keys: list[NDArray[Any]] = []  # of new rows: run, repeat, epoch
        self._cells: list[NDArray[Any]] = []  # row, name, value

    def write(self, piece: bytes) -> int:
        self._rest += piece
        if not self._begun and len(self._rest) >= _HEADER:
            self._begun = True
            del self._rest[:_HEADER]
        if len(self._rest) > _PIECE:
            self._take()
        return len(piece)

    def columns(self, names: Iterable[str]) -> CurveColumns:
        """The table; the first of `names` has number 1."""
        self._take()
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, _KEY)
        cells = np.concatenate(self._cells) if self._cells else np.empty(0, _CELL)
        return CurveColumns(
            run=np.ascontiguousarray(keys["run"]),
            repeat=np.ascontiguousarray(keys["repeat"]),
            epoch=np.ascontiguousarray(keys["epoch"]),
            row=np.ascontiguousarray(cells["row"]),
            name=cells["name"] - np.int32(1),
            value=np.ascontiguousarray(cells["value"]),
            names=tuple(names),
        )

    def _take(self) -> None:
        count = len(self._rest) // _ROW.itemsize
        if count == 0:  # at the end the format's trailer is left
            return
        rows = np.frombuffer(bytes(self._rest[: count * _ROW.itemsize]), _ROW, count)
        del self._rest[: count * _ROW.itemsize]
        keys = np.empty(count, _KEY)
        for name in _KEY.names or ():
            keys[name] = rows[name]
        is_new = np.ones(count, np.bool_)
        is_new[1:] = keys[1:] != keys[:-1]
        first: tuple[int, int, int] = keys[0].item()
        is_new[0] = first != self._last
        cells = np.empty(count, _CELL)
        cells["row"] = self._rows - 1 + np.cumsum(is_new)
        cells["name"], cells["value"] = rows["name"], rows["value"]
        self._rows += int(is_new.sum())
        self._last = keys[-1].item()
        self._keys.append(keys[is_new])
        self._cells.append(cells)
