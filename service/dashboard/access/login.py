"""The login: a form for a key, and a cookie that stands for it."""

import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.dashboard.access import session
from service.dashboard.access.session import COOKIE
from service.dashboard.orders.tokens import check_token
from service.dashboard.shell import brand, page
from service.reports.markup import element
from service.storage.access.secret import digest_of
from service.web.bodies import bounded_body
from service.web.forms import posted
from service.web.keys import KeyCheck, TooManyWrongKeys, WrongKey

HOME = "/studies"
MAX_FORM_BYTES = 8192


class Login:
    """The routes `/login` and `/logout`, for every key that the check admits."""

    def __init__(self, check: KeyCheck, sessions: session.Sessions, https: bool) -> None:
        self._check = check
        self._sessions = sessions
        self._https = https

    async def form(self, request: Request) -> Response:
        return login_page(request, _local_path(request.query_params.get("next")))

    async def enter(self, request: Request) -> Response:
        """Check the key of the form and set the cookie."""
        form = parse_qs((await bounded_body(request, MAX_FORM_BYTES)).decode("utf-8", "replace"))
        target = _local_path(form.get("next", [None])[0])
        key = form.get("key", [""])[0].encode()
        try:
            await self._check.admit(key, request)
        except TooManyWrongKeys as error:
            return login_page(
                request, target, f"Too many wrong keys. Try again in {error.wait_s} s.", 429, error.wait_s
            )
        except WrongKey:
            return login_page(request, target, "This is no key of this dashboard, or one that has ended.", 401)
        response = RedirectResponse(f".{target}", status_code=303)
        response.set_cookie(
            COOKIE,
            self._sessions.open(time.time(), digest_of(key)),
            max_age=session.LIFETIME_S,
            path=None,  # the folder of the login, as the browser knows it: a proxy may serve others beside us
            httponly=True,
            samesite="strict",
            secure=self._https or request.url.scheme == "https",
        )
        return response

    async def leave(self, request: Request) -> Response:
        """End the session here, so that a copy of its cookie opens nothing either."""
        check_token(request, await posted(request, MAX_FORM_BYTES))
        self._sessions.close(request.cookies.get(COOKIE, ""))
        response = RedirectResponse("login", status_code=303)
        response.set_cookie(COOKIE, max_age=0, path=None, httponly=True, samesite="strict")
        return response


def login_page(
    request: Request, target: str, complaint: str | None = None, status: int = 200, retry_after_s: int = 0
) -> Response:
    """The login form; `target` is the page after it."""
    form = page(
        request,
        "Log in",
        element(
            "main",
            element(
                "form",
                element("h1", brand()),
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
                element(
                    "p",
                    "A key that an admin made for you, or the value of ",
                    element("code", "PERNODEDROP_API_KEY"),
                    ".",
                    class_="hint",
                ),
                method="post",
                action="login",
                class_="card",
            ),
            class_="narrow",
        ),
        status=status,
        with_header=False,
    )
    if retry_after_s:
        form.headers["Retry-After"] = str(retry_after_s)
    return form


def _local_path(target: str | None) -> str:
    """Return the page after the login, which may only be a local path: the form must not redirect elsewhere."""
    if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
        return HOME
    return target if target.isprintable() else HOME
