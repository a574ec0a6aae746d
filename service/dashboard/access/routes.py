"""Who is logged in, for admins the keys and what was ordered, and for each study who ordered what."""

from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.calling import called
from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.reports.markup import Html, element, table
from service.storage.access import deeds, keys
from service.storage.access.deeds import Deed
from service.storage.access.keys import AccessKey
from service.storage.database.database import Database
from service.storage.studies import studies
from service.web.access import Caller, Role, caller_of

PAGE = 100  # deeds
LAST_OFFSET = 2**31 - 1
MAY = {
    Role.READ: "reads every study and orders nothing",
    Role.SUBMIT: "reads every study, submits studies and changes them",
    Role.ADMIN: "reads, submits and deletes studies, asks workers to leave, and makes keys",
}


def who(request: Request) -> Response:
    """Who the caller is; for an admin the keys, and what was ordered."""
    caller = caller_of(request)
    sections = [_caller(caller)]
    if caller.may(Role.ADMIN):
        database: Database = request.app.state.database
        sections += [_keys(keys.listing(database)), _deeds(database, "What was ordered", None, request, "access")]
    return page(request, "Access", element("main", element("h1", "Access"), *sections), styles=["access.css"])


def audit(request: Request) -> Response:
    """Who ordered what of one study."""
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    found = _deeds(database, "Who ordered what", record.name, request, f"studies/{record.name}/audit")
    return page(
        request,
        f"Audit of {record.name}",
        heading(request, record, "Audit"),
        element("main", found),
        styles=["access.css"],
    )


def _caller(caller: Caller) -> Html:
    modules = caller.tasks.names
    return element(
        "section",
        element("p", "You are ", element("strong", caller.name), ", with the role ", element("strong", caller.role)),
        element("p", f"The role {MAY[caller.role]}."),
        element("p", f"Own tasks may be in these modules: {', '.join(modules) or 'none'}; built-in tasks always work.")
        if modules is not None and caller.may(Role.SUBMIT)
        else None,
        class_="card",
    )


def _keys(listed: Sequence[AccessKey]) -> Html:
    rows = [
        (
            one.name,
            one.role,
            _modules(one),
            _time(one.created_at),
            one.created_by,
            _time(one.rotated_at),
            "revoked"
            if one.revoked_at
            else f"{'ended' if one.has_ended else 'until'} {_time(one.ends_at)}"
            if one.ends_at
            else "open",
        )
        for one in listed
    ]
    words = ("Name", "Role", "Own tasks in", "Made", "By", "Rotated", "State")
    return element(
        "section",
        element("h2", "Keys"),
        table(words, rows, words=len(words)) if rows else element("p", "The database has no key."),
        element("p", "Make one: ", element("code", called("keys create NAME --role submit")), class_="hint"),
        class_="card",
    )


def _deeds(database: Database, title: str, study: str | None, request: Request, here: str) -> Html:
    text = request.query_params.get("offset", "0")
    offset = min(int(text), LAST_OFFSET) if text.isascii() and text.isdecimal() and len(text) <= 10 else 0
    shown, total = deeds.page(database, study, PAGE, offset)
    words = ("Time", "Who", "Order", *(() if study else ("Study",)), "Details")
    rows = [_row(one, with_study=study is None) for one in shown]
    return element(
        "section",
        element("h1" if study else "h2", title),
        table(words, rows, words=len(words)) if rows else element("p", "Nothing was ordered yet."),
        _turning(total, offset, here),
        class_="card deeds",
    )


def _row(one: Deed, *, with_study: bool) -> tuple[Html | str, ...]:
    named = (one.study or "",) if with_study else ()
    return _time(one.at), one.caller, one.deed, *named, element("code", one.detail) if one.detail else ""


def _turning(total: int, offset: int, here: str) -> Html | None:
    """Links to the orders before and after these; None if one page holds all."""
    if offset == 0 and total <= PAGE:
        return None
    newer, older = max(0, offset - PAGE), offset + PAGE
    return element(
        "nav",
        element("a", "Newer", href=f"{here}?offset={newer}") if offset > 0 else None,
        element("span", f"{min(offset + 1, total)} to {min(older, total)} of {total}"),
        element("a", "Older", href=f"{here}?offset={older}") if older < total else None,
        class_="turning",
    )


def _modules(key: AccessKey) -> str:
    if key.role is Role.READ:
        return ""
    return "any" if key.role is Role.ADMIN or key.task_modules is None else ", ".join(key.task_modules) or "none"


def _time(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


ROUTES = [Route("/access", who), Route("/studies/{name}/audit", audit)]
