"""The page of one study: where it stands, and its report."""

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.reports.markup import Html
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web.reports import Reports, body_of
from service.web.weights import archive_of, chosen_weights


def study(request: Request) -> Response:
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    reports: Reports = request.app.state.reports
    report = Html(reports.made(record.name, "body", body_of).decode())
    return page(
        request,
        record.name,
        heading(request, record, "Study"),
        report,
        styles=["report.css"],
        scripts=["report.js"],
        with_charts=True,
    )


def weights(request: Request) -> Response:
    """The weights of the recommended configuration as a zip."""
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    content = archive_of(database, request.app.state.artifacts, chosen_weights(database, record))
    disposition = f'attachment; filename="{record.name}-weights.zip"'
    headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


ROUTES = [Route("/studies/{name}", study), Route("/studies/{name}/weights", weights)]
