"""The data of the parallel coordinates: an axis for each parameter, and a line for each complete trial."""

import math
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from search_spaces import StudyShape
from service.dashboard.trials.choices import Choices
from service.dashboard.trials.columns import parameters_of
from service.dashboard.trials.filters import word_of
from service.dashboard.trials.sent import encoded, sent
from service.reports.charts.look import look_of
from service.storage.records import StudyRecord
from service.storage.states import RunState, Stage
from service.storage.studies import selection, studies
from service.storage.studies.selection import Row, Wanted

MOST_LINES = 3_000
MOST_CATEGORIES = 24  # on an axis; a parameter with more is left out
VALUE, VARIANT = "value", "variant"
Axis = dict[str, Any]


def lines(request: Request) -> Response:
    """`{"axes", "variants", "lines", "total"}`; a line has its trial, its variant's place and a number an axis."""
    study = studies.get(request.app.state.database, request.path_params["name"])
    choices: Choices = request.app.state.choices
    complete = Wanted(state=RunState.COMPLETE, stage=Stage.SEARCH, sort=VALUE)

    def made() -> bytes:
        return encoded(lines_of(study, selection.chosen(request.app.state.database, study, complete)))

    return sent(request, choices.chart(study, made))


def lines_of(study: StudyRecord, best_first: Sequence[Row]) -> dict[str, Any]:
    """The lines of these trials; of many as many as MOST_LINES, evenly spaced from the best to the worst."""
    finite = [row for row in best_first if row.columns[VALUE] is not None and math.isfinite(row.columns[VALUE])]
    every = max(1.0, len(finite) / MOST_LINES)
    drawn = [finite[int(place * every)] for place in range(math.ceil(len(finite) / every))]
    variants = sorted({row.variant for row in drawn})
    names = [VARIANT, *parameters_of(study)]
    axes = [axis for name in names if (axis := _axis(study.definition, name, drawn)) is not None]
    first, *further = [objective.metric for objective in study.definition.objectives]
    for name, title in ((VALUE, first), *((metric, metric) for metric in further)):
        axes.append(_numeric(name, title, [value for row in drawn if (value := _at_number(row, name)) is not None]))
    return {
        "axes": axes,
        "variants": [{"name": name, "colour": look_of(name).colour} for name in variants],
        "lines": [
            [row.columns["number"], variants.index(row.variant), *(_at(axis, row) for axis in axes)] for row in drawn
        ],
        "total": len(finite),
    }


def _axis(definition: StudyShape, name: str, rows: Sequence[Row]) -> Axis | None:
    """The axis of a parameter or of the variants; None where nothing varies on it, or more than it can show."""
    found = {value: None for row in rows if (value := _value(row, name)) is not None}
    if len(found) < 2:
        return None
    dimensions = [each for key, each in definition.search_space.items() if (each.parameter or key) == name]
    is_numeric = bool(dimensions) and all(each.type != "categorical" for each in dimensions)
    if is_numeric and not any(isinstance(value, str | bool) for value in found):
        return _numeric(name, name, list(found)) | {"log": any(getattr(each, "log", False) for each in dimensions)}
    if len(found) > MOST_CATEGORIES:
        return None
    order = sorted(found, key=lambda value: (isinstance(value, str), value))
    return {"name": name, "title": name, "kind": "category", "categories": [word_of(value) for value in order]}


def _numeric(name: str, title: str, values: Sequence[float]) -> Axis:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    return {"name": name, "title": title, "kind": "number", "low": low, "high": high, "log": False}


def _at(axis: Axis, row: Row) -> float | None:
    """Where the row meets the axis: its number, or the place of its category; None where it has no such parameter."""
    if axis["kind"] == "number":
        return _at_number(row, axis["name"])
    value = _value(row, axis["name"])
    return None if value is None else float(axis["categories"].index(word_of(value)))


def _at_number(row: Row, name: str) -> float | None:
    """The row's number of this name; None where it has none, or one that no axis can show."""
    value = _value(row, name)
    return None if value is None or not math.isfinite(value) else float(value)


def _value(row: Row, name: str) -> Any:
    return row.variant or None if name == VARIANT else row.value_of(name)
