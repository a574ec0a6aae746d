"""The answer of a study: its ranked variants and its report."""

from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from service.api.dependencies import DatabaseOf, ReportsOf, StudyName
from service.api.errors import documented
from service.api.models import FrontRow, Ranking, RankingRow
from service.reports.found.ranking import in_order, pareto_front
from service.reports.found.ranking import ranking as ranked
from service.storage.studies import studies, trials
from service.web.reports import page_of

MOST_OF_FRONT = 100

router = APIRouter(prefix="/studies/{name}", tags=["results"], responses=documented(404))


@router.get("/ranking")
def ranking(name: StudyName, database: DatabaseOf) -> Ranking:
    """Rank the study's variants of regularization, the best first; of several objectives also its Pareto front."""
    study = studies.get(database, name)
    begun = trials.begun(database, study)
    best_first = in_order(study, begun)
    front = pareto_front(study, best_first)
    return Ranking(
        ranking=[RankingRow.model_validate(row, from_attributes=True) for row in ranked(study, begun, best_first)],
        front=[FrontRow.model_validate(trial, from_attributes=True) for trial in front[:MOST_OF_FRONT]],
        on_front=len(front),
    )


# Described by hand: a response_class of HTML would describe the errors as HTML too.
HTML_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}}}
}


@router.get("/report", response_class=Response, responses=HTML_PAGE)
def report(name: StudyName, reports: ReportsOf) -> Response:
    """Return the report as one self-contained HTML page; of a very large study it says which part it shows.

    A report is made once for each state of its study. While others are being made, the answer may be 503 with
    Retry-After.
    """
    disposition = f'inline; filename="{name}.html"'  # a study's name holds no quote: NAME_PATTERN
    return HTMLResponse(reports.made(name, "report", page_of), headers={"Content-Disposition": disposition})
