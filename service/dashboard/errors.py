"""Turns exceptions into pages, in the words of the API."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.dashboard import pages
from service.web.faults import KINDS, fault_near
from service.web.relative import to_root

logger = logging.getLogger(__name__)


def handlers() -> Mapping[type[Exception], Callable[[Request, Exception], Response]]:
    """Return the exception handlers of the dashboard."""
    return {**dict.fromkeys(KINDS, _expected_error), HTTPException: _http_error}


def _expected_error(request: Request, error: Exception) -> Response:
    fault = fault_near(error, request.app.state.database)
    if fault.status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    page = pages.error(fault.status, HTTPStatus(fault.status).phrase, fault.message, to_root(request))
    page.headers.update(fault.headers)
    return page


def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    phrase = HTTPStatus(error.status_code).phrase
    page = pages.error(
        error.status_code, phrase, f"{request.method} {request.url.path[:200]} is not a page here", to_root(request)
    )
    page.headers.update(error.headers or {})
    return page
