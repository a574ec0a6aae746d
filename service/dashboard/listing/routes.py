"""The list of studies, which keeps itself up to date."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.calling import as_called, called
from service.dashboard.listing.card import study_card
from service.dashboard.listing.search import View, search_form, view_of
from service.dashboard.listing.sparkline import Sparklines
from service.dashboard.shell import page
from service.reports.markup import Html, element, with_commands
from service.reports.words.wording import plural
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import WorkerRecord
from service.storage.states import StudyState
from service.storage.studies import finding
from service.storage.studies.finding import Sought

PAGE = 50  # studies
REFRESH_S, IDLE_S = 5, 30  # s between two looks of an open page, while a study runs and else


def study_list(request: Request) -> Response:
    database: Database = request.app.state.database
    lines: Sparklines = request.app.state.sparklines
    view = view_of(request.query_params)
    shown = finding.page(database, view.sought, PAGE, view.offset)
    drawn = lines.of(shown)
    now = datetime.now(UTC)
    cards = [study_card(study, now, drawn[study.id]) for study in shown]
    running = any(study.state == StudyState.RUNNING for study in shown)
    fleet = element("p", with_commands(fleet_of(workers.alive(database))), class_="fleet", id="fleet-now")
    return page(
        request,
        "Studies",
        element(
            "main",
            element("div", element("h1", "Studies"), fleet, class_="title"),
            search_form(view, finding.tags(database)),
            element("p", class_="stale", role="status", data_stale=True),
            element(
                "form",
                element(
                    "div",
                    *(cards or [nothing_yet() if view.sought == Sought() else nothing_found()]),
                    _turning(finding.count(database, view.sought), PAGE, view),
                    id="studies",
                    data_fresh=str(REFRESH_S if running else IDLE_S),
                ),
                element("button", "Compare those chosen", type="submit") if len(cards) > 1 else None,
                method="get",
                action="compare",
                class_="comparing",
            ),
        ),
        styles=["listing.css"],
        scripts=["fresh.js"],
    )


def fleet_of(workers: Sequence[WorkerRecord]) -> str:
    if not workers:
        return as_called("no worker is alive: start one with `pernodedrop worker`")
    of_fleet = [worker for worker in workers if worker.serves is None]
    asking = len(workers) - len(of_fleet)
    busy = sum(worker.study is not None for worker in of_fleet)
    held_up = sum(worker.state == "held up" for worker in of_fleet)
    waiting = f", {held_up} waiting for earlier runs (a lag or a rung)" if held_up else ""
    loops = f"; {plural(asking, 'asker')} of own loops" if asking else ""
    return f"{plural(len(of_fleet), 'worker')}, {busy} training{waiting}{loops}"


def nothing_yet() -> Html:
    return element(
        "section",
        element("h2", "No study yet"),
        element("p", "Submit one: ", element("code", called("submit --preset quickstart"))),
        class_="card empty",
    )


def nothing_found() -> Html:
    return element("section", element("h2", "No study is like this"), class_="card empty")


def _turning(total: int, limit: int, view: View) -> Html | None:
    """Links to the pages before and after this one; None if one page holds all."""
    offset = view.offset
    if offset == 0 and total <= limit:
        return None
    newer, older = max(0, offset - limit), offset + limit
    return element(
        "nav",
        element("a", "Newer", href=view.address(newer)) if offset > 0 else None,
        element("span", f"{min(offset + 1, total)} to {min(older, total)} of {total}"),
        element("a", "Older", href=view.address(older)) if older < total else None,
        class_="turning",
    )


ROUTES = [Route("/studies", study_list)]
