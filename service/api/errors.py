"""Turns exceptions into responses; every error has the shape of `ErrorOut`."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match

from pernodedrop.installation import MissingPackage
from search_spaces import InvalidDefinition
from search_spaces.problems import Problem
from search_spaces.wording import flaw_of_name
from service.api.models import ErrorOut, ProblemOut
from service.storage.database.database import Database
from service.storage.errors import DatabaseUnreachable, StudyExists, UnknownStudy, UnusableMetrics
from service.web.access import Caller, NotAllowed, Role
from service.web.bodies import MAX_BODY_BYTES, BodyTooLarge, BodyTooSlow, NotJson
from service.web.broken import problems_of
from service.web.faults import KINDS, fault_near, fault_of
from service.web.keys import TooManyWrongKeys, WrongKey

logger = logging.getLogger(__name__)

# One example for each status that routes document, with its meaning.
_EXAMPLES: Sequence[tuple[str, Exception]] = (
    ("The body is not JSON, or another web page sent the request.", NotJson("the body is not JSON")),
    ("The key is missing or wrong.", WrongKey()),
    ("The caller's role is too low.", NotAllowed(Role.SUBMIT, Caller("alice@lab.example", Role.READ))),
    ("The body arrives too slowly.", BodyTooSlow()),
    ("There is no such thing.", UnknownStudy("digits-1")),
    ("The request conflicts with what is there.", StudyExists("digits-1")),
    ("The body is too large.", BodyTooLarge(MAX_BODY_BYTES)),
    (
        "The request breaks a rule.",
        InvalidDefinition([Problem.at("search_space.drop_rate.high", "must be below 1, got 1.2")]),
    ),
    ("This address gave wrong keys; Retry-After says when the next one is looked at.", TooManyWrongKeys(1.0)),
    ("A package for this kind of file is not installed.", MissingPackage("PNG", "matplotlib", "export")),
    ("The database is away, or the controller is busy; Retry-After says when to try again.", DatabaseUnreachable()),
)


def install(app: FastAPI) -> None:
    """Register the handlers of every error that a client may see."""
    for kind in (*KINDS, InvalidDefinition, UnusableMetrics):
        app.exception_handler(kind)(_expected_error)
    app.exception_handler(RequestValidationError)(_invalid_request)
    app.exception_handler(HTTPException)(_http_error)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that answers errors of these statuses, each with an example."""
    described: dict[int | str, dict[str, Any]] = {}
    for description, error in _EXAMPLES:
        status, body, _ = _answer_to(error)
        if status in statuses:
            example = body.model_dump(exclude_none=True)
            content = {"application/json": {"example": example}}
            described[status] = {"model": ErrorOut, "description": description, "content": content}
    if missing := set(statuses) - set(described):
        raise ValueError(f"_EXAMPLES has no error of status {min(missing)}: add one")
    return described


def _expected_error(request: Request, error: Exception) -> Response:
    status, body, headers = _answer_to(error, request.app.state.database)
    if status >= 500:
        logger.warning("%s %s: %s", request.method, request.url.path, str(error).partition("\n")[0])
    return _response(status, body, headers)


def _answer_to(error: Exception, database: Database | None = None) -> tuple[int, ErrorOut, Mapping[str, str]]:
    """Status, body and headers of the answer to a foreseen error; with the database near matches are looked up."""
    if isinstance(error, UnusableMetrics):
        return 422, _broken("invalid_request", [ProblemOut(path=error.path, message=str(error))]), {}
    if isinstance(error, InvalidDefinition):
        problems = [ProblemOut(path=p.path, message=p.message) for p in error.problems]
        return 422, _broken("invalid_definition", problems), {}
    fault = fault_of(error) if database is None else fault_near(error, database)
    return fault.status, ErrorOut(error=fault.error, message=fault.message, problems=None), fault.headers


def _invalid_request(_: Request, error: RequestValidationError) -> Response:
    problems = [ProblemOut(path=problem.path, message=problem.message) for problem in problems_of(error)]
    return _response(422, _broken("invalid_request", problems))


def _http_error(request: Request, error: HTTPException) -> Response:
    flaw = _flaw_of_name(request.scope["raw_path"].decode("ascii")) if error.status_code == 404 else None
    if flaw is not None:
        return _response(422, _broken("invalid_request", [ProblemOut(path="path.name", message=f"path.name {flaw}")]))
    phrase = HTTPStatus(error.status_code).phrase
    message = f"{phrase}: {request.method} {request.url.path[:200]}; the routes are listed at /docs"
    headers = {"Allow": ", ".join(_allowed(request))} if error.status_code == 405 else error.headers
    body = ErrorOut(error=phrase.lower().replace(" ", "_"), message=message, problems=None)
    return _response(error.status_code, body, headers)


def _flaw_of_name(path: str) -> str | None:
    """What is wrong with the study's name in a path that no route has: it may be empty, or have a slash as %2F."""
    *above, name = path.split("/")[:4]
    return flaw_of_name(unquote(name)) if above == ["", "v1", "studies"] else None


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of the path; the framework names only those of the first route."""
    return [
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(_takes(route, request, "GET" if method == "HEAD" else method) for route in request.app.routes)
    ]


def _takes(route: BaseRoute, request: Request, method: str) -> bool:
    return route.matches({**request.scope, "method": method})[0] == Match.FULL


def _broken(error: str, problems: list[ProblemOut]) -> ErrorOut:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ErrorOut(error=error, message=problems[0].message + more, problems=problems)


def _response(status: int, body: ErrorOut, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body.model_dump(exclude_none=True), status_code=status, headers=headers)
