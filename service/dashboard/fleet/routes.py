"""The page of the fleet: its workers by host and device, and the queue that they serve."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.dashboard.fleet.figures import figures
from service.dashboard.fleet.hosts import hosts
from service.dashboard.fleet.queue_table import queue_table
from service.dashboard.shell import page
from service.reports.markup import element
from service.storage.database.database import Database
from service.storage.fleet import members, queue

EVERY_S = 5  # s between two looks of an open page


def fleet(request: Request) -> Response:
    database: Database = request.app.state.database
    known, waits, slots = members.members(database), queue.queue(database), members.held_slots(database)
    return page(
        request,
        "Fleet",
        element(
            "main",
            element("div", element("h1", "Fleet"), class_="title"),
            element("p", class_="stale", role="status", data_stale=True),
            element(
                "div",
                figures(known, waits),
                hosts(request, known, slots, waits),
                queue_table(waits),
                id="fleet",
                data_fresh=str(EVERY_S),
            ),
            class_="wide",
        ),
        styles=["fleet.css"],
        scripts=["fresh.js"],
    )


ROUTES: list[BaseRoute] = [Route("/fleet", fleet)]
