"""The page of one study: where it stands, how it goes on, and its report."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.dashboard.study.live.part import ended_runs, live_part
from service.dashboard.study.live.reading import state_of
from service.dashboard.study.live.stream import events
from service.dashboard.study.live.watcher import Watcher
from service.reports.markup import Html, element
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web.reports import Reports, body_of
from service.web.weights import archive_of, chosen_weights


def study(request: Request) -> Response:
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    watcher: Watcher = request.app.state.watcher
    state = watcher.state(record.name) or state_of(database, record)
    return page(
        request,
        record.name,
        heading(request, record, "Study"),
        live_part(record.name, state),
        element("div", _report(request, record.name), id="report", data_ended=str(ended_runs(state))),
        styles=["report.css", "live.css"],
        scripts=["report.js", "curve.js", "live-parts.js", "live.js"],
        with_charts=True,
    )


def report_body(request: Request) -> Response:
    """The report alone, for an open page whose figures have grown old."""
    return HTMLResponse(_report(request, request.path_params["name"]), headers={"Cache-Control": "no-store"})


def weights(request: Request) -> Response:
    """The weights of the recommended configuration as a zip."""
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    content = archive_of(database, request.app.state.artifacts, chosen_weights(database, record))
    disposition = f'attachment; filename="{record.name}-weights.zip"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


def _report(request: Request, name: str) -> Html:
    reports: Reports = request.app.state.reports
    return Html(reports.made(name, "body", body_of).decode())


ROUTES = [
    Route("/studies/{name}", study),
    Route("/studies/{name}/events", events),
    Route("/studies/{name}/report-body", report_body),
    Route("/studies/{name}/weights", weights),
]
