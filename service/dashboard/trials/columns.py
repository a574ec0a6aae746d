"""The columns of the table of runs: what each shows of a run, and what it is sorted by."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.dashboard.trials.marks import address_of, pill, variant_tag
from service.reports.markup import Content, Html, element
from service.reports.words.wording import DASH, duration, number, setting
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import Stage

Show = Callable[[TrialRecord], Content]


@dataclass(frozen=True)
class Column:
    """A column; `sort` is its name in `selection`, "" where nobody sorts by it."""

    title: str
    sort: str
    show: Show
    is_number: bool = False

    @property
    def kind(self) -> str | None:
        return "number" if self.is_number else None


def parameters_of(study: StudyRecord) -> list[str]:
    """The parameters that the study searches, in the order of its definition."""
    space = study.definition.search_space
    return list(dict.fromkeys(dimension.parameter or name for name, dimension in space.items()))


def _numbers_of(study: StudyRecord) -> set[str]:
    """Those of them that are numbers in every dimension: they stand below each other by their last digit."""
    space = study.definition.search_space
    words = {
        dimension.parameter or name
        for name, dimension in space.items()
        if any(isinstance(value, str | bool) for value in getattr(dimension, "choices", ()))
    }
    return set(parameters_of(study)) - words


def columns_of(study: StudyRecord) -> list[Column]:
    """The columns of the study's table from left to right."""
    definition = study.definition
    numbers = _numbers_of(study)

    def epochs(run: TrialRecord) -> str:
        return f"{run.epoch:,} of {definition.epochs_under(run.seeds):,}"

    return [
        Column("Run", "number", lambda run: run_link(study.name, run)),
        Column("State", "state", lambda run: pill(run.state)),
        Column("Variant", "variant", lambda run: variant_tag(run.variant) if run.variant else DASH),
        *(
            Column(objective.metric, objective.metric if place else "value", _value(place), is_number=True)
            for place, objective in enumerate(definition.objectives)
        ),
        *(Column(name, name, _parameter(name), is_number=name in numbers) for name in parameters_of(study)),
        Column("Epochs", "epoch", epochs, is_number=True),
        Column("Time", "time", lambda run: duration(run.duration_s), is_number=True),
        Column("Attempts", "attempts", lambda run: str(run.attempts), is_number=True),
        Column("Why it ended so", "", lambda run: run.reason),
    ]


def row_of(columns: Sequence[Column], run: TrialRecord) -> Html:
    """The run as a row of the table."""
    cells = (element("td", column.show(run), class_=column.kind) for column in columns)
    return element("tr", *cells, class_="ended" if run.finished_at else None)


def run_link(study: str, run: TrialRecord) -> Content:
    """The run's number or place, as a link to its page."""
    address = address_of(study, run)
    if address is None:
        return DASH
    name = f"confirmation {run.place}" if run.stage is Stage.CONFIRMATION else f"{run.number}"
    return element("a", name, href=address, aria_label=run.stage.called(run.place or 0) if run.place else None)


def figure(value: float | None) -> str:
    """A figure as text; nan and infinity are said, since they are what was measured."""
    if value is not None and not math.isfinite(value):
        return "nan" if math.isnan(value) else f"{'−' if value < 0 else ''}infinite"
    return number(value)


def _value(place: int) -> Show:
    def show(run: TrialRecord) -> Content:
        shown = figure(run.values[place] if run.values and place < len(run.values) else None)
        return element("span", element("small", "test "), shown) if run.is_tested and run.values else shown

    return show


def _parameter(name: str) -> Show:
    return lambda run: setting(run.params[name]) if name in run.params else DASH
