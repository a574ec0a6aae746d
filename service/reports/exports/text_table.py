"""The confirmation as a table of texts, to be written as Markdown or LaTeX."""

import math
from dataclasses import dataclass

from search_spaces.variants import VARIANT_PARAMETERS
from service.reports.exports.confirmed_rows import BEST_OF_OTHERS, Row, Rows, rows_of
from service.reports.found.confirmed import Confirmation
from service.reports.found.results import Results
from service.reports.words.naming import names
from service.reports.words.winner import without_figures
from service.reports.words.wording import DASH, listing, places_for, plural, settings
from service.rounding import fixed
from service.statistics import Interval, PairedDifference
from service.storage.states import StudyState

Cell = str  # numbers with a plain hyphen for a minus


@dataclass(frozen=True)
class TextTable:
    """A header and rows of equal length; the first `words` columns are words, the others numbers.

    A cell may have two lines, one above the other.
    """

    title: str
    header: tuple[str, ...]
    words: int
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...]


def text_table(results: Results, to: str | None = None, *, whole: bool = True) -> TextTable:
    """The confirmed configurations, the best mean first, compared with the first one or with the variant `to`.

    What is not `whole` fits a page of paper: intervals and configurations stand below figures and variants, and what
    the search measured and further metrics are left out.

    Raises:
        NotConfirmed: no configuration of the variant `to` was confirmed.
    """
    found = rows_of(results, to)
    title = f"The confirmation of {results.study.name}"
    if found is None:
        return TextTable(title, ("Variant", "Configuration"), 2, (), (_not_yet(results),))
    confirmation = found.confirmation
    reference = names(confirmation)[found.reference]
    places = places_for([one.mean(confirmation.metric) for one in confirmation.found])
    if not whole:
        header = [
            "Variant\nconfiguration",
            f"{confirmation.metric}\n95%",
            f"to {_simultaneously(found, reference if to else 'the first')}\nsimultaneous 95%",
            "Seeds\nwon",
        ]
        rows = [_narrow(results, row, confirmation, places) for row in found.rows]
        return TextTable(title, tuple(header), 1, tuple(rows), tuple(_notes(results, found, whole=False)))
    others = confirmation.metrics[1:]
    with_search = any(row.searched for row in found.rows)
    by_seed = with_search and results.study.definition.repeats > 1
    searched = results.objective.metric
    header = [
        "Variant",
        "Configuration",
        f"{confirmation.metric} (95%)",
        f"to {_simultaneously(found, reference)} (simultaneous 95%)",
        "Seeds won",
    ]
    header += [f"to {reference} (95%, this pair alone)"]
    header += [f"{searched} of the search"] if with_search else []
    header += ["by seed", f"to {reference} in the search (95%)"] if by_seed else []
    header += others

    def cells(row: Row) -> tuple[Cell, ...]:
        one, values = row.one, row.searched.values if row.searched else None
        told = [one.trial.variant, _chosen(results, row)]
        told += [_around(one.mean(confirmation.metric), one.interval(confirmation.metric), places)]
        told += [_difference(row.difference, places), _won(row, confirmation), _difference(row.alone, places)]
        told += [_figure(values[0], places) if values else ""] if with_search else []
        each = ", ".join(_figure(value, places) or DASH for value in row.by_seed)
        told += [each, _difference(row.in_search, places)] if by_seed else []
        told += [_figure(one.mean(name), places_for([one.mean(name)])) for name in others]
        return tuple(told)

    return TextTable(title, tuple(header), 2, tuple(map(cells, found.rows)), tuple(_notes(results, found, whole=whole)))


def _simultaneously(found: Rows, reference: str) -> str:
    """What the differences are to whose intervals hold for all comparisons: looks compare with the best at each."""
    return BEST_OF_OTHERS if found.is_decided else reference


def _narrow(results: Results, row: Row, confirmation: Confirmation, places: int) -> tuple[Cell, ...]:
    around = _around(row.one.mean(confirmation.metric), row.one.interval(confirmation.metric), places)
    chosen, difference = _chosen(results, row), _difference(row.difference, places)
    named = f"{row.one.trial.variant}\n{chosen}" if chosen else row.one.trial.variant
    return (named, *("\n".join(cell.split(" ", 1)) for cell in (around, difference)), _won(row, confirmation))


def _chosen(results: Results, row: Row) -> str:
    """The searched settings that do not tell variants apart."""
    searched = {dimension.parameter or name for name, dimension in results.study.definition.search_space.items()}
    params = {name: value for name, value in row.one.trial.params.items() if name in searched}
    return settings(params, without=VARIANT_PARAMETERS)


def _notes(results: Results, found: Rows, *, whole: bool) -> list[str]:
    confirmation = found.confirmation
    counts = sorted({len(one.figures[confirmation.metric]) for one in confirmation.found})
    seeds = plural(counts[0], "fresh seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} fresh seeds"
    split = "test" if confirmation.is_tested else "validation"
    methods = confirmation.methods
    apart = sorted({str(row.difference.method) for row in found.rows if row.difference and row.difference.is_known})
    said = [
        f"Means over {seeds} on the {split} split, at the epoch that is best by validation"
        + (f"; intervals of means by {listing(methods)}." if methods else "."),
    ]
    if found.is_decided:
        asked = results.study.definition.confirmation
        is_decided = asked is not None and asked.is_decided
        why = "Looks at the figures decided the number of seeds" if is_decided else "Seeds were added to the first ones"
        said.append(
            f"{why}. A difference to the best of the others is that of the last look that compared the configuration, "
            "which may have had fewer seeds than the means; its interval holds for all looks and configurations. "
            "That of a pair alone does not."
        )
    elif apart:
        said.append(
            f"Differences are paired over the seeds; intervals for all pairs hold at once (Bonferroni), by "
            f"{listing(apart)}."
        )
    said += without_figures(results, confirmation)
    if whole and results.study.definition.repeats > 1:
        said.append("Figures of the search are of the seeds that chose the configurations, which flatters them.")
    if results.study.state is not StudyState.COMPLETE:
        said.append("The confirmation has not ended.")
    return said


def _not_yet(results: Results) -> str:
    if results.study.definition.confirmation is None:
        return "The study has no confirmation."
    return "No run of the confirmation is complete."


def _around(mean: float, bounds: Interval | None, places: int, sign: str = "") -> Cell:
    if bounds is None or not bounds.is_known:
        return _figure(mean, places, sign)
    return f"{fixed(mean, places, sign)} ({fixed(bounds.low, places, sign)} to {fixed(bounds.high, places, sign)})"


def _figure(value: float, places: int, sign: str = "") -> Cell:
    """The value; nothing where there is none."""
    return fixed(value, places, sign) if math.isfinite(value) else ""


def _difference(found: PairedDifference | None, places: int) -> Cell:
    return "" if found is None else _around(found.mean, found, places, "+")


def _won(row: Row, confirmation: Confirmation) -> Cell:
    difference = row.difference or row.alone
    if difference is None:
        return ""
    won = difference.higher if confirmation.maximize else difference.lower
    return f"{won} of {difference.seeds}"
