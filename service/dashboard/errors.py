"""Turns exceptions into pages, in the words of the API."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.orders.tokens import ForeignForm
from service.dashboard.shell import page
from service.reports.markup import element, with_commands
from service.web.faults import KINDS, fault_near

logger = logging.getLogger(__name__)


def handlers() -> Mapping[type[Exception], Callable[[Request, Exception], Response]]:
    """Return the exception handlers of the dashboard."""
    return {**dict.fromkeys(KINDS, fault_page), ForeignForm: _foreign_form, HTTPException: _http_error}


def fault_page(request: Request, error: Exception) -> Response:
    """The page of an exception of `KINDS`."""
    fault = fault_near(error, request.app.state.database)
    if fault.status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    shown = error_page(request, fault.status, fault.message)
    shown.headers.update(fault.headers)
    return shown


def _foreign_form(request: Request, error: Exception) -> Response:
    return error_page(request, 403, str(error))


def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    shown = error_page(request, error.status_code, f"{request.method} {request.url.path[:200]} is not a page here")
    shown.headers.update(error.headers or {})
    return shown


def error_page(request: Request, status: int, message: str) -> Response:
    """A page with one line about the error and a link back."""
    title = HTTPStatus(status).phrase
    card = element(
        "section",
        element("p", str(status), class_="status"),
        element("h1", title),
        element("p", with_commands(message)),
        element("p", element("a", "All studies", href="studies")),
        class_="card",
    )
    return page(request, title, element("main", card, class_="narrow"), status=status, with_header=False)
