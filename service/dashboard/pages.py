"""The pages around the reports: login, list of studies, errors."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.responses import HTMLResponse

from service.calling import as_called, called
from service.dashboard.study_card import study_card
from service.reports.markup import Html, document, element, with_commands
from service.reports.words.wording import plural
from service.storage.records import StudyRecord, WorkerRecord
from service.storage.states import StudyState

# Only our stylesheet: these pages need no script.
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'self'"
REFRESH_S = 5


def studies(
    page: Sequence[StudyRecord],
    workers: Sequence[WorkerRecord],
    *,
    total: int,
    limit: int,
    offset: int,
    with_logout: bool,
) -> HTMLResponse:
    """A page of the list of studies, which reloads itself while one of them runs."""
    now = datetime.now(UTC)
    cards = [study_card(study, now) for study in page]
    running = any(study.state == StudyState.RUNNING for study in page)
    return _page(
        "Studies",
        _header(with_logout),
        element(
            "main",
            element(
                "div",
                element("h1", "Studies"),
                element("p", with_commands(_fleet(workers)), class_="fleet"),
                class_="title",
            ),
            *(cards or [_nothing_yet()]),
            _turning(total, limit, offset),
        ),
        refresh_s=REFRESH_S if running else None,
    )


def login(target: str, complaint: str | None = None, status: int = 200, retry_after_s: int = 0) -> HTMLResponse:
    """The login form; `target` is the page after it."""
    page = _page(
        "Log in",
        element(
            "main",
            element(
                "form",
                _brand(),
                element("label", "API key", for_="key"),
                element(
                    "input",
                    id="key",
                    name="key",
                    type="password",
                    required=True,
                    autofocus=True,
                    autocomplete="current-password",
                ),
                element("input", type="hidden", name="next", value=target),
                element("p", complaint, class_="complaint", role="alert") if complaint else None,
                element("button", "Log in", type="submit"),
                element("p", "The key is the value of ", element("code", "PERNODEDROP_API_KEY"), ".", class_="hint"),
                method="post",
                action="login",
                class_="card",
            ),
            class_="narrow",
        ),
        status=status,
    )
    if retry_after_s:
        page.headers["Retry-After"] = str(retry_after_s)
    return page


def error(status: int, title: str, message: str, root: str) -> HTMLResponse:
    """A page with one line about the error and a link back; `root` is the way from its address to our root."""
    return _page(
        title,
        element(
            "main",
            element(
                "section",
                element("p", str(status), class_="status"),
                element("h1", title),
                element("p", with_commands(message)),
                element("p", element("a", "All studies", href="studies")),
                class_="card",
            ),
            class_="narrow",
        ),
        status=status,
        root=root,
    )


def _page(title: str, *body: Html, status: int = 200, refresh_s: int | None = None, root: str = "./") -> HTMLResponse:
    head = [
        element("meta", charset="utf-8"),
        element("base", href=root),  # every link is relative to it
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        *([element("meta", http_equiv="refresh", content=str(refresh_s))] if refresh_s else []),
        element("title", f"{title} · PerNodeDrop"),
        element("link", rel="stylesheet", href="style.css"),
        element("link", rel="icon", href="data:,"),
    ]
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(document(head, body), status, headers)


def _brand() -> Html:
    return element("a", element("span", class_="mark"), "PerNodeDrop", href="studies", class_="brand")


def _header(with_logout: bool) -> Html:
    leave = element("form", element("button", "Log out", type="submit"), method="post", action="logout")
    return element(
        "header",
        _brand(),
        element("nav", element("a", "Studies", href="studies"), element("a", "Optuna", href="dashboard")),
        leave if with_logout else None,
    )


def _title(workers: Sequence[WorkerRecord]) -> Html:
    fleet = element("p", with_commands(_fleet(workers)), class_="fleet")
    return element("div", element("h1", "Studies"), fleet, class_="title")


def _fleet(workers: Sequence[WorkerRecord]) -> str:
    if not workers:
        return as_called("no worker is alive: start one with `pernodedrop worker`")
    of_fleet = [worker for worker in workers if worker.serves is None]
    asking = len(workers) - len(of_fleet)
    busy = sum(worker.study is not None for worker in of_fleet)
    held_up = sum(worker.state == "held up" for worker in of_fleet)
    waiting = f", {held_up} waiting for earlier runs (lag)" if held_up else ""
    loops = f"; {plural(asking, 'asker')} of own loops" if asking else ""
    return f"{plural(len(of_fleet), 'worker')}, {busy} training{waiting}{loops}"


def _nothing_yet() -> Html:
    return element(
        "section",
        element("h2", "No study yet"),
        element("p", "Submit one: ", element("code", called("submit --preset quickstart"))),
        class_="card empty",
    )


def _turning(total: int, limit: int, offset: int) -> Html | None:
    """Links to the pages before and after this one; None if one page holds all."""
    if offset == 0 and total <= limit:
        return None
    newer, older = max(0, offset - limit), offset + limit
    return element(
        "nav",
        element("a", "Newer", href=f"studies?offset={newer}") if offset > 0 else None,
        element("span", f"{min(offset + 1, total)} to {min(older, total)} of {total}"),
        element("a", "Older", href=f"studies?offset={older}") if older < total else None,
        class_="turning",
    )
