"""Who is logged in, for admins the keys and what was ordered; for each study its links and who ordered what."""

from collections.abc import Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.dashboard.orders import buttons
from service.dashboard.shell import page
from service.dashboard.study.heading import heading
from service.reports.markup import Html, element, table
from service.storage.access import deeds, keys, shares
from service.storage.access.deeds import Deed
from service.storage.access.keys import AccessKey
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from service.times import to_minute
from service.web.access import Caller, Role, caller_of, require

PAGE = 100  # deeds
KEY_WORDS = ("Name", "Role", "Own tasks in", "Made", "By", "Rotated", "State", "Orders")
WHAT_LINKS_DO = "A link shows the study, its trials and its report to whoever has it. Share makes one."
LINK_WORDS = ("Link", "Made", "By", "State", "Orders")
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
        sections += [
            _keys(request, keys.listing(database)),
            _deeds(database, "What was ordered", None, request, "access"),
        ]
    return page(request, "Access", element("main", element("h1", "Access"), *sections), styles=["access.css"])


def audit(request: Request) -> Response:
    """Who ordered what of one study."""
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    found = _deeds(database, "Who ordered what", record.name, request, f"studies/{record.name}/audit")
    return _of_study(request, record, "Audit", f"Audit of {record.name}", found)


def links(request: Request) -> Response:
    """The links that show one study."""
    require(request, Role.SUBMIT)
    database: Database = request.app.state.database
    record = studies.get(database, request.path_params["name"])
    listed = shares.listing(database, record.name)
    rows = [
        (
            str(one.id),
            _time(one.created_at),
            one.created_by,
            _state(one.revoked_at, one.ends_at, has_ended=one.has_ended),
            buttons.link_buttons(request, record.name, one),
        )
        for one in listed
    ]
    section = element(
        "section",
        element("h1", "Links to this study"),
        element("p", WHAT_LINKS_DO, class_="hint"),
        table(LINK_WORDS, rows, words=len(LINK_WORDS)) if rows else element("p", "There is no link yet."),
        class_="card",
    )
    return _of_study(request, record, "Links", f"Links to {record.name}", section)


def _of_study(request: Request, record: StudyRecord, tab: str, title: str, section: Html) -> Response:
    return page(request, title, heading(request, record, tab), element("main", section), styles=["access.css"])


def _caller(caller: Caller) -> Html:
    modules = caller.tasks.names
    return element(
        "section",
        element(
            "p", "You are ", element("strong", caller.name), ", with the role ", element("strong", caller.role), "."
        ),
        element("p", f"The role {MAY[caller.role]}."),
        element("p", f"Own tasks may be in these modules: {', '.join(modules) or 'none'}; built-in tasks always work.")
        if modules is not None and caller.may(Role.SUBMIT)
        else None,
        class_="card",
    )


def _keys(request: Request, listed: Sequence[AccessKey]) -> Html:
    rows = [
        (
            one.name,
            one.role,
            _modules(one),
            _time(one.created_at),
            one.created_by,
            _time(one.rotated_at),
            _state(one.revoked_at, one.ends_at, has_ended=one.has_ended),
            buttons.key_buttons(request, one),
        )
        for one in listed
    ]
    return element(
        "section",
        element("h2", "Keys"),
        table(KEY_WORDS, rows, words=len(KEY_WORDS)) if rows else element("p", "The database has no key."),
        buttons.keys_buttons(request),
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


def _state(revoked_at: datetime | None, ends_at: datetime | None, *, has_ended: bool) -> str:
    if revoked_at is not None:
        return f"revoked {_time(revoked_at)}"
    return f"{'ended' if has_ended else 'until'} {_time(ends_at)}" if ends_at else "open"


def _modules(key: AccessKey) -> str:
    if key.role is Role.READ:
        return ""
    return "any" if key.role is Role.ADMIN or key.task_modules is None else ", ".join(key.task_modules) or "none"


def _time(at: datetime | None) -> str:
    return "" if at is None else to_minute(at)


ROUTES = [Route("/access", who), Route("/studies/{name}/audit", audit), Route("/studies/{name}/links", links)]
