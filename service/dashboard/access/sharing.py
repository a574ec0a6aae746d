"""Links that show one study: the address that a link names, its cookie, and the pages that it opens."""

import time

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.storage.access.secret import LINK, digest_of
from service.web.access import Caller, LinkEnded
from service.web.keyring import Keyring, caller_by_link

LINK_PATH = "/shared"
LINK_COOKIE = "pernodedrop_link"
LONGEST_TOKEN = 200
READING = frozenset({"GET", "HEAD"})
# Below a study's page, by the first word of the path: whatever is not named here is not shown.
SHOWN = frozenset({"", "events", "report-body", "trials", "trials.json", "trials.csv", "lines.json", "confirmation"})


class Links:
    """The route `/shared`."""

    def __init__(self, keyring: Keyring, https: bool) -> None:
        self._keyring, self._https = keyring, https

    async def enter(self, request: Request) -> Response:
        """Keep the link's token as a cookie, and go on to its study, whose address has no token.

        Raises:
            LinkEnded: no study is shown by this token now.
        """
        token = request.query_params.get("token", "")
        opened = await self._keyring.link(digest_of(token.encode())) if is_token(token) else None
        if opened is None:
            raise LinkEnded
        response = RedirectResponse(f"studies/{opened.study}", status_code=303)
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        response.set_cookie(
            LINK_COOKIE,
            token,
            max_age=max(1, int(opened.ends_at.timestamp() - time.time())),
            path=None,
            httponly=True,
            samesite="lax",  # a link in a message is followed from another site, and its cookie can order nothing
            secure=self._https or request.url.scheme == "https",
        )
        return response


async def links_caller(token: str, keyring: Keyring) -> Caller | None:
    """Who has a link's token as a cookie; None where it shows nothing now."""
    opened = await keyring.link(digest_of(token.encode())) if is_token(token) else None
    return None if opened is None else caller_by_link(opened)


def is_token(text: str) -> bool:
    """Whether the text looks like a token, so that the database is worth asking."""
    return text.startswith(LINK) and len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable()


def is_shared(method: str, path: str, study: str) -> bool:
    """Whether a link to the study shows this path."""
    if path == "/logout":
        return True
    parts = path.split("/")
    if method not in READING or parts[:3] != ["", "studies", study]:
        return False
    return (parts[3] if len(parts) > 3 else "") in SHOWN and ".." not in parts
