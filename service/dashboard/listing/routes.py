"""The list of studies, which reloads itself while one of them runs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.calling import as_called, called
from service.dashboard.listing.card import study_card
from service.dashboard.shell import page
from service.reports.markup import Html, element, with_commands
from service.reports.words.wording import plural
from service.storage.database.database import Database
from service.storage.fleet import workers
from service.storage.records import WorkerRecord
from service.storage.states import StudyState
from service.storage.studies import studies

PAGE = 50  # studies
LAST_OFFSET = 2**31 - 1
REFRESH_S = 5


def study_list(request: Request) -> Response:
    database: Database = request.app.state.database
    offset = _offset(request.query_params.get("offset", "0"))
    shown = studies.page(database, PAGE, offset)
    now = datetime.now(UTC)
    cards = [study_card(study, now) for study in shown]
    running = any(study.state == StudyState.RUNNING for study in shown)
    return page(
        request,
        "Studies",
        element(
            "main",
            element(
                "div",
                element("h1", "Studies"),
                element("p", with_commands(fleet_of(workers.alive(database))), class_="fleet"),
                class_="title",
            ),
            *(cards or [nothing_yet()]),
            _turning(studies.count(database), PAGE, offset),
        ),
        refresh_s=REFRESH_S if running else None,
    )


def fleet_of(workers: Sequence[WorkerRecord]) -> str:
    if not workers:
        return as_called("no worker is alive: start one with `pernodedrop worker`")
    of_fleet = [worker for worker in workers if worker.serves is None]
    asking = len(workers) - len(of_fleet)
    busy = sum(worker.study is not None for worker in of_fleet)
    held_up = sum(worker.state == "held up" for worker in of_fleet)
    waiting = f", {held_up} waiting for earlier runs (lag)" if held_up else ""
    loops = f"; {plural(asking, 'asker')} of own loops" if asking else ""
    return f"{plural(len(of_fleet), 'worker')}, {busy} training{waiting}{loops}"


def nothing_yet() -> Html:
    return element(
        "section",
        element("h2", "No study yet"),
        element("p", "Submit one: ", element("code", called("submit --preset quickstart"))),
        class_="card empty",
    )


def _turning(total: int, limit: int, offset: int) -> Html | None:
    """Links to the pages before and after this one; None if one page holds all."""
    if offset == 0 and total <= limit:
        return None
    newer, older = max(0, offset - limit), offset + limit
    return element(
        "nav",
        element("a", "Newer", href=f"studies?offset={newer}") if offset > 0 else None,
        element("span", f"{min(offset + 1, total)} to {min(older, total)} of {total}"),
        element("a", "Older", href=f"studies?offset={older}") if older < total else None,
        class_="turning",
    )


def _offset(text: str) -> int:
    """Return the offset of the query, 0 if it is not a number."""
    return min(int(text), LAST_OFFSET) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0


ROUTES = [Route("/studies", study_list)]
