"""From exception to response; every error has the shape of `ErrorOut`."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from search_spaces import InvalidDefinition
from search_spaces.problems import shown
from search_spaces.wording import RULES
from service.api.models import ErrorOut, ProblemOut
from service.web.faults import KINDS, fault_of

logger = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers of every error that a client may see."""
    for kind in KINDS:
        app.exception_handler(kind)(_foreseen)
    app.exception_handler(InvalidDefinition)(_invalid_definition)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_error)


def _foreseen(request: Request, error: Exception) -> Response:
    fault = fault_of(error)
    if fault.status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    return _response(fault.status, fault.error, fault.message, fault.headers)


def _invalid_definition(_: Request, error: InvalidDefinition) -> Response:
    return _problems("invalid_definition", [ProblemOut(path=p.path, message=p.message) for p in error.problems])


def _invalid_request(_: Request, error: RequestValidationError) -> Response:
    return _problems("invalid_request", [_in_our_words(problem) for problem in error.errors()])


def _in_our_words(problem: Mapping[str, Any]) -> ProblemOut:
    """One of pydantic's errors in the words that a definition's errors have, where they have some for it."""
    at, kind = ".".join(map(str, problem["loc"])), problem["type"]
    if kind not in RULES:
        return ProblemOut(path=at, message=f"{at}: {problem['msg']}")
    rule = RULES[kind].format(**problem.get("ctx", {}))
    return ProblemOut(path=at, message=f"{at} {rule}, got {shown(problem['input'])}")


def _http_error(request: Request, error: HTTPException) -> Response:
    phrase = HTTPStatus(error.status_code).phrase
    message = f"{phrase}: {request.method} {request.url.path[:200]}; the routes are listed at /docs"
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    return _response(error.status_code, phrase.lower().replace(" ", "_"), message, headers)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of the path: the framework's own answer names those of the first route alone."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] == Match.FULL for route in request.app.routes)
    ]


def _problems(error: str, problems: list[ProblemOut]) -> Response:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _response(422, error, problems[0].message + more, problems=problems)


def _response(
    status: int,
    error: str,
    message: str,
    headers: Mapping[str, str] | None = None,
    problems: list[ProblemOut] | None = None,
) -> JSONResponse:
    body = ErrorOut(error=error, message=message, problems=problems)
    return JSONResponse(body.model_dump(exclude_none=True), status_code=status, headers=headers)
