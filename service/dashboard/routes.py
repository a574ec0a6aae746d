"""Our own pages: the list of studies and a study's report, with the style sheet and the health check."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from service.dashboard import pages
from service.reports.markup import element, stylesheet
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import StudyRecord
from service.storage.studies import studies
from service.web.relative import to_root
from service.web.reports import Reports, page_of
from service.web.weights import archive_of, chosen_weights, has_winners_weights

PAGE = 50  # studies
LAST_OFFSET = 2**31 - 1
LINKS_STYLE = """
.links { display: flex; flex-wrap: wrap; gap: 8px 24px; max-width: 1120px; margin: 0 auto; padding: 16px 20px 0; }
.links a { color: var(--accent); text-decoration: none; }
.links a:hover { text-decoration: underline; }
@media print { .links { display: none; } }
"""


async def home(request: Request) -> Response:
    return RedirectResponse(f"{to_root(request)}studies", status_code=303)


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def style(_: Request) -> Response:
    sheet = files("service.dashboard").joinpath("style.css").read_text(encoding="utf-8")
    return Response(sheet, media_type="text/css", headers={"Cache-Control": "max-age=300"})


def study_list(request: Request) -> Response:
    database: Database = request.app.state.database
    offset = _offset(request.query_params.get("offset", "0"))
    return pages.studies(
        studies.page(database, PAGE, offset),
        workers.alive(database),
        total=studies.count(database),
        limit=PAGE,
        offset=offset,
        with_logout=request.app.state.with_login,
    )


def study(request: Request) -> Response:
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    reports: Reports = request.app.state.reports
    page = _with_links(reports.made(record.name, "report", page_of).decode(), record)
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})


def weights(request: Request) -> Response:
    """The weights of the recommended configuration as a zip."""
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    content = archive_of(database, request.app.state.artifacts, chosen_weights(database, record))
    disposition = f'attachment; filename="{record.name}-weights.zip"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


def _with_links(report: str, record: StudyRecord) -> str:
    """The report with a line of links above it; its policy allows inline styles and no further script."""
    links = element(
        "nav",
        element("a", "All studies", href="../studies"),
        element("a", "Trials in Optuna", href=f"../dashboard/studies/{record.optuna_study_id}"),
        element("a", "Weights", href=f"../studies/{record.name}/weights") if has_winners_weights(record) else None,
        class_="links",
    )
    return report.replace("<body>", f"<body>{stylesheet(LINKS_STYLE)}{links}", 1)


def _offset(text: str) -> int:
    """Return the offset of the query, 0 if it is not a number."""
    return min(int(text), LAST_OFFSET) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
