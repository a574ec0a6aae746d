"""The confirmation as a table for a terminal of 80 columns."""

import math
from collections.abc import Iterable

from rich import box
from rich.table import Table

from search_spaces.variants import VARIANT_PARAMETERS
from service.api.models import ConfirmedOut, StudyDetail
from service.cli.views import setting
from service.rounding import fixed


def confirmation_table(study: StudyDetail) -> Table:
    """The confirmed configurations, the best mean first: figures in the first line of a row, intervals in the second.

    A long name is folded where the terminal is too narrow for it.
    """
    rows = study.confirmed
    metric, places = rows[0].metric, _places(row.mean for row in rows)
    title = f"{study.name}: {metric} under fresh seeds"
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.padding, table.show_edge = 0, False
    table.add_column("variant\nconfiguration", overflow="fold")
    is_decided = study.winner is not None and study.winner.outcome is not None
    to = "to the best\nof the others" if is_decided else "to the first\nsimultaneous"
    for heading in (f"mean {metric}\n95% interval", to):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("seeds\nwon", justify="right", no_wrap=True)
    if is_decided:  # the means go on where a configuration was told apart and trained on, or the best one was
        table.caption = "A difference is that of the last look that compared the configuration."
        table.caption_justify = "left"
    for row in rows:
        table.add_row(*_cells(row, frozenset(study.definition.get("search_space", {})), places))
    return table


def _cells(row: ConfirmedOut, searched: frozenset[str], places: int | None) -> tuple[str, str, str, str]:
    varied = {name: value for name, value in row.params.items() if name in searched and name not in VARIANT_PARAMETERS}
    settings = ", ".join(f"{name} {setting(value)}" for name, value in varied.items())
    mean = f"{_figure(row.mean, places)}\n{_interval(row.low, row.high, places)}"
    if row.seeds_won is None:
        return f"{row.variant}\n{settings}", mean, "", f"of {row.seeds}"
    difference = _interval(row.difference_low, row.difference_high, places, "+")
    won = f"{row.seeds_won} of {row.seeds}"
    return f"{row.variant}\n{settings}", mean, f"{_figure(row.difference, places, '+')}\n{difference}", won


def _places(means: Iterable[float | None]) -> int | None:
    """The decimal places, 1 to 6, at which the largest mean shows four significant digits, or three below 0.1; None
    where six would show fewer."""
    largest = max((abs(mean) for mean in means if mean), default=1.0)
    wanted = 3 - math.floor(math.log10(largest))
    places = max(1, wanted if wanted <= 4 else wanted - 1)
    return places if places <= 6 else None


def _interval(low: float | None, high: float | None, places: int | None, sign: str = "") -> str:
    if low is None or high is None:
        return "-"
    return f"{_figure(low, places, sign)} to {_figure(high, places, sign)}"


def _figure(value: float | None, places: int | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{value:{sign}.3g}" if places is None else fixed(value, places, sign)
