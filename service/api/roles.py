"""What each route takes of its caller: its role, and whether what it did is noted."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from service.api.dependencies import PREFIX
from service.storage.studies import names
from service.web.access import Role, check_task, require


@dataclass(frozen=True)
class Takes:
    """What a route takes of its caller."""

    role: Role
    deed: str | None = None  # under which word it is noted; None: it is not
    with_words: bool = True  # whether a short body is noted too
    starts_runs: bool = False  # so the key's list must have the task of the study


# Routes that read take the role read, but for those here; every other route stands here.
ROUTES: Mapping[str, Takes] = {
    "POST /v1/definitions": Takes(Role.READ),
    "POST /v1/studies": Takes(Role.SUBMIT, "submit", with_words=False),  # checks the definition's task itself
    "POST /v1/studies/check": Takes(Role.SUBMIT),
    "PATCH /v1/studies/{name}": Takes(Role.SUBMIT, "change"),
    "DELETE /v1/studies/{name}": Takes(Role.ADMIN, "delete"),
    "POST /v1/studies/{name}/extend": Takes(Role.SUBMIT, "extend", starts_runs=True),
    "POST /v1/studies/{name}/retry": Takes(Role.SUBMIT, "retry", starts_runs=True),
    "POST /v1/studies/{name}/confirmation": Takes(Role.SUBMIT, "confirm", starts_runs=True),
    "POST /v1/studies/{name}/pause": Takes(Role.SUBMIT, "pause"),
    "POST /v1/studies/{name}/resume": Takes(Role.SUBMIT, "resume", starts_runs=True),
    "POST /v1/studies/{name}/stop": Takes(Role.SUBMIT, "stop"),
    "POST /v1/studies/{name}/trials": Takes(Role.SUBMIT, "enqueue", starts_runs=True),
    "POST /v1/studies/{name}/runs/{run}/withdraw": Takes(Role.SUBMIT, "withdraw"),
    "POST /v1/studies/{name}/trials/{number}/cancel": Takes(Role.SUBMIT, "cancel"),
    "POST /v1/studies/{name}/confirmation/{place}/cancel": Takes(Role.SUBMIT, "cancel"),
    # An own loop's words are many, and its runs tell of them.
    "POST /v1/studies/{name}/ask": Takes(Role.SUBMIT, starts_runs=True),
    "POST /v1/runs/{run}/report": Takes(Role.SUBMIT),
    "POST /v1/runs/{run}/renew": Takes(Role.SUBMIT),
    "POST /v1/runs/{run}/tell": Takes(Role.SUBMIT),
    "POST /v1/workers/{worker}/drain": Takes(Role.ADMIN, "drain"),
    "POST /v1/studies/{name}/shares": Takes(Role.SUBMIT, "share"),
    "POST /v1/studies/{name}/shares/{share}/revoke": Takes(Role.SUBMIT, "revoke share"),
    "GET /v1/keys": Takes(Role.ADMIN),
    "POST /v1/keys": Takes(Role.ADMIN, "create key"),
    "POST /v1/keys/{key}/revoke": Takes(Role.ADMIN, "revoke key"),
    "POST /v1/keys/{key}/rotate": Takes(Role.ADMIN, "rotate key"),
    "GET /v1/audit": Takes(Role.ADMIN),
    "GET /v1/webhooks": Takes(Role.ADMIN),
    "POST /v1/webhooks": Takes(Role.ADMIN, "add webhook"),
    "DELETE /v1/webhooks/{webhook}": Takes(Role.ADMIN, "remove webhook"),
    "POST /v1/webhooks/{webhook}/test": Takes(Role.ADMIN, "test webhook"),
    "POST /v1/webhooks/{webhook}/retry": Takes(Role.ADMIN, "retry webhook"),
}
READING = Takes(Role.READ)


def takes(method: str, path: str) -> Takes:
    """What the route takes; `path` is its template, such as /v1/studies/{name}.

    Raises:
        ValueError: it changes something and has no role.
    """
    found = ROUTES.get(f"{method} {path}")
    if found is None and method != "GET":
        raise ValueError(f"{method} {path} has no role: add it to ROUTES in service/api/roles.py")
    return found or READING


def taken_by(scope: Mapping[str, Any]) -> Takes:
    """What the route takes that the request has found."""
    return takes(scope["method"], PREFIX + scope["route"].path)


async def role_is_held(request: Request) -> None:
    """Check that the caller may do what the route does.

    Raises:
        NotAllowed: the caller's role is too low.
        TaskNotAllowed: the route lets runs begin of a task that the caller's key does not allow.
        UnknownStudy: there is no such study.
    """
    needed = taken_by(request.scope)
    caller = require(request, needed.role)
    if needed.starts_runs and caller.tasks.names is not None:
        task = await run_in_threadpool(names.task_of, request.app.state.database, request.path_params["name"])
        check_task(caller, task)
