"""Orders on studies, runs, workers, keys and links: each form has a page, and is posted to its address."""

from contextlib import suppress
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from service.dashboard.errors import error_page
from service.dashboard.orders import submission
from service.dashboard.orders.about import About
from service.dashboard.orders.given import here, ordered, page_back
from service.dashboard.orders.known import UnknownOrder, order_called
from service.dashboard.orders.order import Made, Order
from service.dashboard.orders.outcomes import Outcome, Secret
from service.dashboard.orders.refused import REFUSALS, refusal_of
from service.dashboard.orders.sheet import Sheet
from service.storage.access.keys import UnknownKey
from service.storage.access.shares import UnknownShare
from service.storage.errors import UnknownStudy, UnknownTrial, UnknownWorker
from service.storage.studies import names
from service.web.access import NotAllowed, caller_of, check_task, require
from service.web.creations import Creations
from service.web.forms import Form, posted

LONGEST_FORM = 32 * 1024  # bytes: a note has 2,000 characters
WITHOUT_FORM = (UnknownStudy, UnknownTrial, UnknownWorker, UnknownKey, UnknownShare, UnknownOrder, NotAllowed)


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
        call, fields = _call(request, order, about, form), [one.name for one in order.fields]
        return await ordered(request, order.deed or order.name, order.role, form, call, noted=fields)
    except REFUSALS as error:
        return await run_in_threadpool(_refused, request, about, form, error)


def _call(request: Request, order: Order[Any], about: About, form: Form) -> Any:
    async def call(creations: Creations) -> Outcome:
        if order.starts_runs:
            task = await run_in_threadpool(names.task_of, request.app.state.database, about.names["name"])
            check_task(caller_of(request), task)
        to_whom = {"by": caller_of(request).name, "root": request.app.state.dashboard_url}
        came_of_it = await creations.run(order.do, {**about.names, **to_whom}, form)
        request.app.state.keyring.forget()  # a key or a link may have ended by it
        made = came_of_it if isinstance(came_of_it, Made) else None
        return Outcome(
            order.leads_to or page_back(form, about.page),
            came_of_it.said if isinstance(came_of_it, Made) else came_of_it,
            about.names.get("name"),
            {name: value for name, value in about.names.items() if name != "name"},
            None if made is None else Secret(made.secret),
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
    "/access/orders/{order}",
    "/access/keys/{key}/orders/{order}",
    "/studies/{name}/links/{share:int}/orders/{order}",
)
ROUTES: list[BaseRoute] = [
    *(Route(address, show) for address in _ADDRESSES),
    *(Route(address, give, methods=["POST"]) for address in _ADDRESSES),
    *submission.ROUTES,
]
