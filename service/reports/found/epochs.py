"""Learning curves by trial: what every epoch measured, one repeat at a time or their mean.

A study has millions of these numbers. They are kept in columns, and what every section asks of all of them is computed
on whole columns; objects are made of the few trainings that a section shows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from search_spaces.objective import ONE_MASK, Objective, metric_name
from service.storage.records import CurvePoint
from service.storage.studies.columns import CurveColumns

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Epoch:
    """One epoch of one repeat, or the mean of several repeats' epoch."""

    number: int  # 1-based
    metrics: Mapping[str, float]  # by "<split>_<metric>"


class Epochs:
    """All epochs of all runs: rows in the order of run, repeat and epoch."""

    def __init__(self, columns: CurveColumns) -> None:
        self._columns = columns
        self.run, self.repeat, self.epoch = columns.run, columns.repeat, columns.epoch

    def of(self, run: int) -> dict[int, list[Epoch]]:
        """Every repeat's epochs of the run in order; {} for a run without a curve."""
        repeats: dict[int, list[Epoch]] = {}
        for row, metrics in self._rows(run):
            repeats.setdefault(int(self.repeat[row]), []).append(Epoch(int(self.epoch[row]), metrics))
        return repeats

    def mean_of(self, run: int) -> list[Epoch]:
        """Every epoch of the run, the mean over the repeats that reached it."""
        return [epoch for epochs in self.means.of(run).values() for epoch in epochs]

    def column(self, name: str) -> Floats:
        """The metric in every row, NaN where it was not measured."""
        column, (rows, values) = np.full(len(self.run), np.nan), self._cells(name)
        column[rows] = values
        return column

    def measured(self, name: str) -> NDArray[np.bool_]:
        """Whether a row has the metric; it may be NaN nevertheless."""
        there = np.zeros(len(self.run), np.bool_)
        there[self._cells(name)[0]] = True
        return there

    @cached_property
    def means(self) -> "Epochs":
        """The means over repeats, as repeat 0."""
        if not self.repeat.any():
            return self
        columns = self._columns
        order = np.lexsort((self.epoch, self.run))  # stable, so by repeat within an epoch
        is_first = _changes(self.run[order], self.epoch[order])
        joint = np.empty(len(order), np.int64)
        joint[order] = np.cumsum(is_first) - 1
        rows, names = joint[columns.row], columns.name
        sums = np.lexsort((names, rows))
        starts = np.flatnonzero(_changes(rows[sums], names[sums]))
        values = columns.value[sums].astype(np.longdouble)  # a sum of a hundred numbers, exact in nearly every case
        counts = np.diff(np.append(starts, len(values)))
        with np.errstate(invalid="ignore"):  # the mean of two opposite infinities is no number
            means = np.add.reduceat(values, starts) / counts if len(starts) else values
        firsts = order[is_first]
        return Epochs(
            CurveColumns(
                self.run[firsts],
                np.zeros(len(firsts), np.int32),
                self.epoch[firsts],
                rows[sums][starts].astype(np.int32),
                names[sums][starts],
                means.astype(np.float64),
                columns.names,
            )
        )

    def best(self, objective: Objective) -> "Best":
        """Every training's best value of the objective: of the first of its best epochs."""
        values = self.column(objective.metric)
        if objective.metric.endswith(ONE_MASK):
            plain = self.column(objective.metric.removesuffix(ONE_MASK))
            values = np.where(self.measured(objective.metric), values, plain)
        costs = np.where(np.isfinite(values), objective.cost(1.0) * values, np.inf)
        starts = np.flatnonzero(_changes(self.run, self.repeat))
        least = np.minimum.reduceat(costs, starts) if len(starts) else costs
        found = np.isfinite(least)
        return Best(self.run[starts][found], objective.cost(1.0) * least[found])

    def trained(self) -> NDArray[np.int64]:
        """The number of its training in every row, rising."""
        return np.cumsum(_changes(self.run, self.repeat))

    def _rows(self, run: int) -> Iterator[tuple[int, dict[str, float]]]:
        columns = self._columns
        first, last = np.searchsorted(self.run, (run, run + 1))
        cells = slice(*np.searchsorted(columns.row, np.array((first, last), columns.row.dtype)))  # else it is copied
        metrics: list[dict[str, float]] = [{} for _ in range(first, last)]
        here = (columns.row[cells] - first, columns.name[cells], columns.value[cells])
        for row, name, value in zip(*(part.tolist() for part in here), strict=True):
            metrics[row][columns.names[name]] = value
        return zip(range(first, last), metrics, strict=True)

    def _cells(self, name: str) -> tuple[NDArray[np.int32], Floats]:
        columns = self._columns
        if name not in columns.names:
            return np.empty(0, np.int32), np.empty(0)
        own = columns.name == columns.names.index(name)
        return columns.row[own], columns.value[own]

    @property
    def cells(self) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
        """Every number: its row, its name as an index of `names`, its value."""
        return self._columns.row, self._columns.name, self._columns.value

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that some row has."""
        return self._columns.names


@dataclass(frozen=True)
class Best:
    """The best value of every training that has one, by run and repeat."""

    run: NDArray[np.int64]
    value: Floats

    def of(self, run: int) -> list[float]:
        """Those of one run, by repeat."""
        first, last = np.searchsorted(self.run, (run, run + 1))
        values: list[float] = self.value[first:last].tolist()
        return values


def epochs_of(curves: Mapping[int, Sequence[CurvePoint]] | CurveColumns) -> Epochs:
    """The epochs of curves, whose points may also come by run."""
    return Epochs(curves if isinstance(curves, CurveColumns) else columns_of(curves))


def columns_of(curves: Mapping[int, Iterable[CurvePoint]]) -> CurveColumns:
    """The points of every run, in columns; of several at one place the last one counts."""
    names: dict[str, int] = {}
    cells: dict[tuple[int, int, int], dict[int, float]] = {}
    for run, points in curves.items():
        for point in points:
            number = names.setdefault(metric_name(point.split, point.metric), len(names))
            cells.setdefault((run, point.repeat, point.epoch), {})[number] = point.value
    keys = sorted(cells)
    rows = [(row, name, value) for row, key in enumerate(keys) for name, value in cells[key].items()]
    return CurveColumns(
        run=np.array([run for run, _, _ in keys], np.int64),
        repeat=np.array([repeat for _, repeat, _ in keys], np.int32),
        epoch=np.array([epoch for _, _, epoch in keys], np.int32),
        row=np.array([row for row, _, _ in rows], np.int32),
        name=np.array([name for _, name, _ in rows], np.int32),
        value=np.array([value for _, _, value in rows], np.float64),
        names=tuple(names),
    )


def _changes(*columns: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Whether a row differs from the one before it in any of the columns."""
    differs = np.ones(len(columns[0]), np.bool_)
    differs[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return differs
