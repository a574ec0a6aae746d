"""Orders on studies, runs and workers: each has a page with its form, which is posted to the same address."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pernodedrop.near import LONGEST
from search_spaces.shape import NAME_PATTERN
from service.dashboard.errors import error_page
from service.dashboard.orders import submission
from service.dashboard.orders.given import here, ordered, page_back
from service.dashboard.orders.known import UnknownOrder, order_called
from service.dashboard.orders.order import Order
from service.dashboard.orders.outcomes import Outcome
from service.dashboard.orders.refused import REFUSALS, refusal_of
from service.dashboard.orders.sheet import Sheet
from service.storage.database.database import Database
from service.storage.errors import UnknownStudy, UnknownTrial, UnknownWorker
from service.storage.fleet.members import members
from service.storage.states import Stage
from service.storage.studies import names, studies, trials
from service.web.access import NotAllowed, caller_of, check_task, require
from service.web.creations import Creations
from service.web.forms import Form, posted
from service.web.orders import MAX_NUMBER

LONGEST_FORM = 32 * 1024  # bytes: a note has 2,000 characters
WITHOUT_FORM = (UnknownStudy, UnknownTrial, UnknownWorker, UnknownOrder, NotAllowed)


class About:
    """What an order is about: on what, its names in the address, and the page that shows it."""

    def __init__(self, request: Request) -> None:
        given = request.path_params
        self.key = "name"  # of the study's name, or of the worker's id
        self.names: Mapping[str, str] = {key: str(value) for key, value in given.items() if key != "order"}
        if "worker" in given:
            self.on = self.key = "worker"
            self.called, self.page = "The worker", "fleet"
        elif "number" in given:
            stage = Stage.CONFIRMATION if f"/{Stage.CONFIRMATION}/" in request.url.path else Stage.SEARCH
            self.names = {**self.names, "stage": stage}
            self.on, self.called = "run", f"{given['name']}, {stage.called(given['number'])}"
            self.page = f"studies/{given['name']}"
        else:
            self.on, self.called, self.page = "study", str(given["name"]), f"studies/{given['name']}"

    def check(self) -> None:
        """Return if the names in the address can be those of something; raises as `thing`."""
        name = self.names.get("name")
        if name is not None and not re.fullmatch(NAME_PATTERN, name):
            raise UnknownStudy(name[:LONGEST])
        number = int(self.names.get("number", 0))
        if number > MAX_NUMBER:
            raise UnknownTrial(str(name), Stage(self.names["stage"]).called(number))

    def thing(self, database: Database) -> Any:
        """Its record.

        Raises:
            UnknownStudy, UnknownTrial, UnknownWorker: there is none.
        """
        self.check()
        if self.on == "worker":
            there = {worker.id: worker for worker in members(database)}
            if self.names["worker"] not in there:
                raise UnknownWorker(self.names["worker"][:60])
            return there[self.names["worker"]]
        study = studies.get(database, self.names["name"])
        if self.on == "study":
            return study
        return trials.get(database, study, int(self.names["number"]), Stage(self.names["stage"]))


def show(request: Request) -> Response:
    """The order's form."""
    about = About(request)
    try:
        order = order_called(request.path_params["order"], about.on)
        require(request, order.role)
        thing = about.thing(request.app.state.database)
    except REFUSALS as error:
        return _without_form(request, error)
    return Sheet(order, here(request), thing, about.page).page(request, about.called)


async def give(request: Request) -> Response:
    """Do what the form says."""
    about = About(request)
    form = Form({})
    try:
        order = order_called(request.path_params["order"], about.on)
        about.check()
        form = await posted(request, LONGEST_FORM)
        return await ordered(request, order.name, order.role, form, _call(request, order, about, form))
    except REFUSALS as error:
        return await run_in_threadpool(_refused, request, about, form, error)


def _call(request: Request, order: Order[Any], about: About, form: Form) -> Any:
    async def call(creations: Creations) -> Outcome:
        if order.starts_runs:
            task = await run_in_threadpool(names.task_of, request.app.state.database, about.names["name"])
            check_task(caller_of(request), task)
        said = await creations.run(order.do, about.names, form)
        return Outcome(
            order.leads_to or page_back(form, about.page), said, about.names.get("name", about.names.get("worker", ""))
        )

    return call


def _refused(request: Request, about: About, form: Form, error: Exception) -> Response:
    """The form again, with what was typed; only the reason where its study is gone or it is not for the caller."""
    refusal = refusal_of(request, error)
    if isinstance(error, WITHOUT_FORM):
        return _without_form(request, error)
    order = order_called(request.path_params["order"], about.on)
    thing = None
    with suppress(Exception):  # the form is worth showing without, as when the database is away
        thing = about.thing(request.app.state.database)
    # A hidden field says what stood on the page, which may be why it was refused.
    typed = {
        each.name: form[each.name]
        for each in order.fields
        if form.has(each.name) and (thing is None or each.kind != "hidden")
    }
    sheet = Sheet(order, here(request), thing, page_back(form, about.page), typed, refusal.messages)
    return sheet.page(request, about.called, refusal.status)


def _without_form(request: Request, error: Exception) -> Response:
    refusal = refusal_of(request, error)
    return error_page(request, refusal.status, refusal.messages[0])


_ADDRESSES = (
    "/studies/{name}/orders/{order}",
    "/studies/{name}/trials/{number:int}/orders/{order}",
    "/studies/{name}/confirmation/{number:int}/orders/{order}",
    "/workers/{worker}/orders/{order}",
)
ROUTES: list[BaseRoute] = [
    *(Route(address, show) for address in _ADDRESSES),
    *(Route(address, give, methods=["POST"]) for address in _ADDRESSES),
    *submission.ROUTES,
]
