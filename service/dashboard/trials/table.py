"""All runs of a study as a table: a page of it by links, the whole of it by scrolling, or as a file."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from search_spaces.narrowing import CannotNarrow
from search_spaces.variants import variants_of
from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.dashboard.trials.choices import Choices
from service.dashboard.trials.columns import Column, columns_of, parameters_of, row_of
from service.dashboard.trials.filters import Filters, place_of
from service.dashboard.trials.form import filter_form
from service.dashboard.trials.sent import encoded, sent
from service.reports.exports.files import csv_of
from service.reports.exports.table import Column as Exported
from service.reports.exports.table import Table, mixed_column
from service.reports.markup import Html, element
from service.reports.words.wording import plural
from service.storage.database.database import Database
from service.storage.errors import NotSelectable
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import StudyState
from service.storage.studies import studies, trials

PAGE, MOST = 200, 500  # runs on a page, which trials.js asks for too, and at most in one answer
PIECE = 1_000  # runs of a file that are read at once
GOES_ON = (StudyState.RUNNING, StudyState.PAUSED)


def table(request: Request) -> Response:
    """The page."""
    study = _study(request)
    filters = Filters.of(request.query_params)
    offset = place_of(request.query_params.get("offset", ""), 0)
    complaint, shown = None, _Shown()
    try:
        shown = _Shown(*_choices(request).page(study, filters.wanted(study.name), PAGE, offset), offset)
    except NotSelectable as error:
        complaint = str(error)
    body = [
        element("h1", "Trials"),
        filter_form(study, filters, parameters_of(study), _variants(study), complaint),
        None if complaint else _parallel(study),
        None if complaint else _listed(study, filters, shown),
    ]
    return page(
        request,
        f"Trials of {study.name}",
        heading(request, study, "Trials"),
        element("main", *body, class_="runs"),
        styles=["trials.css"],
        scripts=["trials.js", "parallel.js"],
        status=422 if complaint else 200,
    )


def rows(request: Request) -> Response:
    """A page of the table for the program that scrolls: `{"total", "offset", "rows"}`, each row as markup."""
    study = _study(request)
    query = request.query_params
    offset, limit = place_of(query.get("offset", ""), 0), place_of(query.get("limit", ""), PAGE, MOST)
    try:
        shown, total = _choices(request).page(study, Filters.of(query).wanted(study.name), limit, offset)
    except NotSelectable as error:
        return sent(request, encoded({"message": str(error)}), 422)
    columns = columns_of(study)
    made = [row_of(columns, run) for run in shown]
    found = {"total": total, "offset": offset, "rows": made, "goes_on": study.state in GOES_ON}
    return sent(request, encoded(found))


def file(request: Request) -> Response:
    """The runs that the table shows, as comma-separated values."""
    study = _study(request)
    ids = _choices(request).order(study, Filters.of(request.query_params).wanted(study.name), anew=True)
    content = _written(request.app.state.database, study, ids)
    headers = {"Content-Disposition": f'attachment; filename="{study.name}-trials.csv"', "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="text/csv", headers=headers)


def _study(request: Request) -> StudyRecord:
    return studies.get(request.app.state.database, request.path_params["name"])


def _choices(request: Request) -> Choices:
    choices: Choices = request.app.state.choices
    return choices


def _variants(study: StudyRecord) -> list[str]:
    """The variants that the study searches; none where they are too many to list."""
    with suppress(CannotNarrow):
        return list(variants_of(study.definition.search_space, study.definition.fixed))
    return []


def _parallel(study: StudyRecord) -> Html:
    """The place of the chart, which a program fills."""
    return element(
        "section",
        element("h2", "Parallel coordinates"),
        element("p", "This chart needs a wider window: turn the device, or read the table.", class_="narrow-only"),
        element("div", class_="coordinates", tabindex="0", role="group", aria_label="Chart, which may be wider"),
        element("p", class_="note", role="status"),
        element("noscript", element("p", "This chart needs scripts; the table below does not.", class_="note")),
        class_="card parallel",
        data_lines=f"studies/{study.name}/lines.json",
    )


@dataclass(frozen=True)
class _Shown:
    """A page of the runs that are wanted."""

    runs: Sequence[TrialRecord] = ()
    total: int = 0  # on all pages
    offset: int = 0


def _listed(study: StudyRecord, filters: Filters, shown: _Shown) -> Html:
    here = f"studies/{study.name}/trials"
    columns, total, offset = columns_of(study), shown.total, shown.offset
    if not total:
        said = "No run of this study is like that." if filters.narrows else "This study has no run."
        clear = element("a", "Show all runs", href=here) if filters.narrows else None
        return element("section", element("p", said), element("p", clear), class_="card empty", role="status")
    head = element("tr", *(_header(filters, here, column) for column in columns))
    body = element("tbody", *(row_of(columns, run) for run in shown.runs))
    widths = element("colgroup", *(element("col") for _ in columns))
    listing = element("table", widths, element("thead", head), body, aria_rowcount=str(total + 1))
    return element(
        "section",
        element(
            "div",
            element("p", element("span", plural(total, "run"), class_="total"), class_="count", role="status"),
            element("a", "Compare with other studies", href=f"compare?study={study.name}"),
            element("a", "As a CSV file", href=filters.address(f"{here}.csv"), class_="csv"),
            class_="above",
        ),
        element(
            "div",
            listing,
            class_="rows",
            tabindex="0",
            role="region",
            aria_label="Runs",
            data_rows=filters.address(f"{here}.json"),
            data_total=str(total),
            data_offset=str(offset),
            data_live=study.state in GOES_ON,
        ),
        _turning(filters, here, total, offset),
        class_="card listing",
    )


def _header(filters: Filters, here: str, column: Column) -> Html:
    if not column.sort:
        return element("th", column.title, scope="col")
    is_sorted = filters.sort == column.sort
    arrow = ("▼" if filters.descending else "▲") if is_sorted else ""
    direction = ("descending" if filters.descending else "ascending") if is_sorted else None
    link = element("a", column.title, " ", arrow, href=filters.sorted_by(column.sort).address(here))
    return element("th", link, class_=column.kind, scope="col", aria_sort=direction)


def _turning(filters: Filters, here: str, total: int, offset: int) -> Html | None:
    """Links to the pages before and after this one, which the program that scrolls takes away."""
    if offset == 0 and total <= PAGE:
        return None
    back, on = max(0, min(offset, total) - PAGE), offset + PAGE
    return element(
        "nav",
        element("a", "Earlier", href=filters.address(here, offset=back)) if offset else None,
        element("span", f"{min(offset + 1, total):,} to {min(on, total):,} of {total:,}"),
        element("a", "Later", href=filters.address(here, offset=on)) if on < total else None,
        class_="turning",
        aria_label="Pages of the table",
    )


def _written(database: Database, study: StudyRecord, ids: Sequence[int]) -> Iterator[bytes]:
    for begin in range(0, max(1, len(ids)), PIECE):
        piece = csv_of(_columns_of_file(study, trials.of_ids(database, study, ids[begin : begin + PIECE])))
        yield piece.partition(b"\n")[2] if begin else piece  # one header is enough


def _columns_of_file(study: StudyRecord, runs: Sequence[TrialRecord]) -> Table:
    def values(place: int, *, on_test: bool) -> Exported:
        each = [run.values if run.is_tested is on_test else None for run in runs]
        return Exported("float", [one[place] if one and place < len(one) else None for one in each])

    objectives = list(enumerate(study.definition.objectives))
    tested = objectives if study.definition.confirmation is not None else []
    return {
        "run": Exported("int", [run.run_id for run in runs]),
        "trial": Exported("int", [run.number for run in runs]),
        "place": Exported("int", [run.place for run in runs]),
        "stage": Exported("text", [str(run.stage) for run in runs]),
        "state": Exported("text", [str(run.state) for run in runs]),
        "variant": Exported("text", [run.variant for run in runs]),
        **{objective.metric: values(place, on_test=False) for place, objective in objectives},
        **{objective.tested: values(place, on_test=True) for place, objective in tested},
        **{f"params_{name}": mixed_column([run.params.get(name) for run in runs]) for name in parameters_of(study)},
        "best_epoch": Exported("int", [run.best_epoch for run in runs]),
        "epochs": Exported("int", [run.epoch for run in runs]),
        "seconds": Exported("float", [run.duration_s for run in runs]),
        "spent_seconds": Exported("float", [run.spent_s for run in runs]),
        "attempts": Exported("int", [run.attempts for run in runs]),
        "reason": Exported("text", [run.reason for run in runs]),
    }
