"""Turns exceptions into pages, in the words of the API."""

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.lost import Way, ways_from
from service.dashboard.orders.tokens import ForeignForm
from service.dashboard.shell import page
from service.reports.markup import element, with_commands
from service.storage.errors import UnknownTrial
from service.web.faults import KINDS, Fault, fault_near

logger = logging.getLogger(__name__)


def handlers() -> Mapping[type[Exception], Callable[[Request, Exception], Response]]:
    """Return the exception handlers of the dashboard."""
    return {**dict.fromkeys(KINDS, fault_page), ForeignForm: _foreign_form, HTTPException: _http_error}


def fault_page(request: Request, error: Exception) -> Response:
    """The page of an exception of `KINDS`."""
    fault = fault_near(error, request.app.state.database)
    ways = [(f"/studies/{name}{below}", f"studies/{name}{below}") for name, below in _beside(error, fault)]
    if fault.status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    shown = error_page(request, fault.status, fault.message, ways)
    shown.headers.update(fault.headers)
    return shown


def _foreign_form(request: Request, error: Exception) -> Response:
    return error_page(request, 403, str(error))


def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    said, ways = f"{request.method} {request.url.path[:200]} is not a page here", []
    if error.status_code == HTTPStatus.NOT_FOUND:
        try:
            ways = ways_from(request)
        except KINDS as reason:
            return fault_page(request, reason)
        said += f": did you mean {ways[0][0]}?" if ways else ""
    if error.detail != HTTPStatus(error.status_code).phrase:
        said = error.detail
    shown = error_page(request, error.status_code, said, ways)
    shown.headers.update(error.headers or {})
    return shown


def _beside(error: Exception, fault: Fault) -> list[tuple[str, str]]:
    """The study that was meant, and what page of it: of one that was not found, or of a trial that it has not."""
    if isinstance(error, UnknownTrial):
        return [(error.study, "/trials")]
    return [(fault.near, "")] if fault.near is not None else []


def error_page(request: Request, status: int, message: str, ways: Sequence[Way] = ()) -> Response:
    """A page with one line about the error, and links to what was meant and back."""
    title = HTTPStatus(status).phrase
    card = element(
        "section",
        element("p", str(status), class_="status"),
        element("h1", title),
        element("p", with_commands(message)),
        *(element("p", element("a", words, href=address)) for words, address in ways),
        element("p", element("a", "All studies", href="studies")),
        class_="card",
    )
    return page(request, title, element("main", card, class_="narrow"), status=status, with_header=False)
