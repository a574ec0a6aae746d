"""A study's runs as somebody wants to see them: of a variant, with certain values, in another order than the queue's.

Parameters are compared as the runs are shown with them, so the rows are read and judged here, up to `MOST`.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any

import sqlalchemy as sa

from pernodedrop.near import did_you_mean
from search_spaces import recorded_params, variant_of
from search_spaces.core_schema import resolved
from search_spaces.variants import telling_in
from service.storage.database.database import Database
from service.storage.database.tables import runs
from service.storage.errors import NotSelectable
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import RunState, Stage
from service.storage.studies import trials

MOST = 100_000  # rows that are read: some seconds
COLUMNS = ("number", "value", "epoch", "time", "attempts", "state", "stage", "variant")

_CONDITION = re.compile(r"\s*([A-Za-z_]\w{0,63})\s*(<=|>=|!=|=|<|>)\s*([^\s,][^,]{0,199})\s*")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Wanted:
    """What a list of runs has, and in which order."""

    state: RunState | None = None
    stage: Stage | None = None
    variant: str | None = None  # or how its name begins: "pernodedrop-gaussian" is both of its mask modes
    where: str | None = None  # "drop_rate>=0.3,units=64,value<0.2": parameters, else COLUMNS
    sort: str | None = None  # one of COLUMNS, a further objective, or a parameter; None is the queue's order
    descending: bool = False  # of values: the best last

    @property
    def is_plain(self) -> bool:
        """Whether the storage's own page of runs answers it."""
        return self.variant is None and self.where is None and self.sort is None and not self.descending


@dataclass(frozen=True)
class Row:
    """What of a run is compared; `columns` has COLUMNS and the study's further objectives by their metrics."""

    id: int
    params: Mapping[str, Any]
    variant: str  # "" of a run whose parameters are not known yet
    columns: Mapping[str, Any]

    def has(self, name: str) -> bool:
        """Whether the run has a parameter or a column of this name."""
        return name in self.params or self.columns.get(name) is not None

    def value_of(self, name: str) -> Any:
        """The run's parameter of this name, or what its column has; None where there is neither."""
        return self.params.get(name, self.columns.get(name))


def page(
    db: Database, study: StudyRecord, wanted: Wanted, limit: int = 100, offset: int = 0
) -> tuple[list[TrialRecord], int]:
    """Return a page of the runs that are wanted, and how many there are in all.

    Runs without rows stand behind the others, where all runs or those of a state are wanted in the queue's order.

    Raises:
        NotSelectable: a condition has another form, a name is unknown, or the study has more than MOST such runs.
    """
    if wanted.is_plain and wanted.stage is None:
        counts = (study.counts, study.confirmation)
        total = sum(sum(each.values()) if wanted.state is None else each[wanted.state] for each in counts)
        return trials.page(db, study, wanted.state, limit, offset), total
    found = [row.id for row in chosen(db, study, wanted)]
    return trials.of_ids(db, study, found[offset : offset + limit]), len(found)


def chosen(db: Database, study: StudyRecord, wanted: Wanted) -> list[Row]:
    """Return the runs that are wanted and have rows, in their order.

    Raises:
        NotSelectable: as `page`.
    """
    rows = _read(db, study, wanted)
    known = {dimension.parameter or name for name, dimension in study.definition.search_space.items()}
    known |= {*study.definition.fixed, *(name for row in rows for name in row.params)}
    further = [objective.metric for objective in study.definition.objectives[1:]]
    for name, compare, value in _conditions(study.name, wanted.where, known, (*COLUMNS, *further)):
        rows = [row for row in rows if row.has(name) and _holds(compare, row.value_of(name), value)]
    if wanted.variant is not None:
        rows = _of_variant(study.name, rows, wanted.variant)
    if wanted.sort is not None:
        return _sorted(study, rows, wanted, known)
    return rows[::-1] if wanted.descending else rows


_READ = (
    *(runs.c.id, runs.c.params, runs.c.given, runs.c.trial_number, runs.c["values"], runs.c.epoch, runs.c.state),
    *(runs.c.started_at, runs.c.finished_at, runs.c.stage, runs.c.attempts),
)


def _read(db: Database, study: StudyRecord, wanted: Wanted) -> list[Row]:
    query = sa.select(*_READ).where(runs.c.study_id == study.id).order_by(runs.c.ordinal).limit(MOST + 1)
    if wanted.state is not None:
        query = query.where(runs.c.state.in_(trials.stored_as(study, wanted.state)))
    if wanted.stage is not None:
        query = query.where(runs.c.stage == wanted.stage)
    telling = telling_in(study.definition.search_space)
    further = [objective.metric for objective in study.definition.objectives[1:]]
    found: list[Row] = []
    with db.engine.connect() as connection:
        for row in connection.execute(query, execution_options={"yield_per": trials.PIECE}):
            own = row.given if row.params is None else row.params
            params = {} if own is None else recorded_params(study.definition, own)
            variant = intern(variant_of(params, telling)) if params else ""
            found.append(Row(row.id, params, variant, _columns(study, row, variant, further)))
    if len(found) > MOST:
        rule = f"it has more than {MOST:,} such runs: choose a state, or filter its records.csv"
        raise NotSelectable(study.name, rule)
    return found


def _columns(study: StudyRecord, row: Any, variant: str, further: Sequence[str]) -> Mapping[str, Any]:
    values = [None if math.isnan(value) else value for value in row._mapping["values"] or ()]
    is_timed = row.started_at is not None and row.finished_at is not None
    state = RunState.CANCELLED if study.cancels and row.state == RunState.WAITING else row.state
    return {
        "number": row.trial_number,
        "value": values[0] if values else None,
        "epoch": row.epoch,
        "time": (row.finished_at - row.started_at).total_seconds() if is_timed else None,
        "attempts": row.attempts,
        "state": state,
        "stage": row.stage,
        "variant": variant or None,
        **dict(zip(further, values[1:], strict=False)),
    }


def _conditions(
    study: str, text: str | None, known: Iterable[str], columns: Iterable[str]
) -> list[tuple[str, Callable[[Any, Any], bool], Any]]:
    found = []
    for part in [] if text is None else text.split(","):
        condition = _CONDITION.fullmatch(part)
        if condition is None:
            raise NotSelectable(study, f"a condition is like drop_rate>=0.3 or regularizer=dropout, got {part[:60]!r}")
        name, sign, value = condition.groups()
        if name not in known and name not in columns:
            remedy = did_you_mean(name, [*known, *columns], f"it has {', '.join(sorted(known))}")
            raise NotSelectable(study, f"it has no parameter {name!r}: {remedy}")
        found.append((name, _COMPARE[sign], _typed(study, value.strip())))
    return found


def _typed(study: str, text: str) -> Any:
    try:
        return resolved(text)
    except ValueError:  # such as 1e999
        raise NotSelectable(study, f"a condition's number must be finite, got {text[:60]!r}") from None


def _holds(compare: Callable[[Any, Any], bool], value: Any, wanted: Any) -> bool:
    """Whether the value is as wanted; what cannot be compared, as text and a number, is not."""
    is_text = isinstance(value, str)
    if is_text != isinstance(wanted, str):
        return compare is operator.ne
    return wanted is not None and compare(value, wanted)


def _of_variant(study: str, rows: list[Row], variant: str) -> list[Row]:
    found = [row for row in rows if row.variant == variant or row.variant.startswith(f"{variant}-")]
    there = {row.variant for row in rows if row.variant}
    if not found and there:
        remedy = did_you_mean(variant, there, f"it has {', '.join(sorted(there))}")
        raise NotSelectable(study, f"none of these runs is of variant {variant[:60]!r}: {remedy}")
    return found


def _sorted(study: StudyRecord, rows: list[Row], wanted: Wanted, known: Iterable[str]) -> list[Row]:
    """The rows in order; those without such a value come last, and values are the best first."""
    key = str(wanted.sort)
    maximizes = {objective.metric: objective.maximizes for objective in study.definition.objectives[1:]}
    maximizes["value"] = study.definition.objectives[0].maximizes
    if key not in COLUMNS and key not in maximizes and key not in known:
        remedy = did_you_mean(
            key, [*COLUMNS, *maximizes, *known], f"choose one of {', '.join(COLUMNS)}, or a parameter"
        )
        raise NotSelectable(study.name, f"its runs cannot be sorted by {key[:60]!r}: {remedy}")

    def value_of(row: Row) -> Any:
        return row.columns.get(key) if key in COLUMNS or key in maximizes else row.params.get(key)

    has, lacks = [row for row in rows if value_of(row) is not None], [row for row in rows if value_of(row) is None]
    is_upward = not wanted.descending
    if maximizes.get(key):
        is_upward = not is_upward
    has.sort(key=lambda row: (isinstance(value_of(row), str), value_of(row)), reverse=not is_upward)
    return has + lacks
