"""Access to the servers: callers have the key, or without a key they are on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from service.web.keyring import Keyring
from service.web.keys import SHORTEST, KeyCheck

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_open_door(host: str, api_key: str | None, keyring: Keyring) -> None:
    """Raise ValueError unless there is a key of `SHORTEST` characters, or one in the database, or only this machine can
    call."""
    if is_loopback(host):
        return
    if not api_key:
        if keyring.are_there_now():
            return
        raise ValueError(
            f"listening on {host!r} needs an API key: set PERNODEDROP_API_KEY, or listen on 127.0.0.1; "
            "the database has no key, or does not answer: `pernodedrop keys create` makes one"
        )
    if len(api_key) < SHORTEST:
        raise ValueError(
            f"listening on {host!r} needs an API key of at least {SHORTEST} characters, got {len(api_key)}: "
            "set PERNODEDROP_API_KEY to what `openssl rand -hex 32` prints, or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def url_host(authority: str) -> str:
    """The host part of a `Host` header, with the brackets of an IPv6 address; "" where there is none."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host


class LoopbackOnly:
    """ASGI middleware that, while no key is there, refuses what a foreign web page makes a browser send.

    A page that re-binds its name to 127.0.0.1 shows in `Host`; a form it posts here shows in `Origin`; what it embeds
    or fetches from here shows in `Sec-Fetch-Site`. A link to here that somebody follows is none of these.
    """

    def __init__(self, app: ASGIApp, check: KeyCheck) -> None:
        self.app, self.check = app, check

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or await self.check.asks():
            return await self.app(scope, receive, send)
        refusal = foreign(scope["method"], Headers(scope=scope))
        if refusal is None:
            return await self.app(scope, receive, send)
        response = JSONResponse({"error": "foreign_request", "message": refusal}, status_code=400)
        return await response(scope, receive, send)


def foreign(method: str, headers: Headers) -> str | None:
    """Return why a server without a key refuses the request; None for a request of this machine."""
    host = headers.get("host", "")
    if url_host(host) not in LOOPBACK_NAMES:
        return (
            f"without an API key only {', '.join(sorted(LOOPBACK_NAMES))} may be addressed, "
            f"got Host {host[:100]!r}: set PERNODEDROP_API_KEY"
        )
    origin = headers.get("origin")
    if method not in SAFE_METHODS and origin not in (None, f"http://{host}", f"https://{host}"):
        return f"a page of {str(origin)[:100]!r} may not change anything here: set PERNODEDROP_API_KEY"
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin") and not _follows_link(method, headers):
        return f"a page of another site may not read anything here, got Sec-Fetch-Site {site[:20]!r}"
    return None


def _follows_link(method: str, headers: Headers) -> bool:
    """Whether a browser shows the answer as a page of its own, so that the page with the link cannot read it."""
    wanted = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return method in SAFE_METHODS and wanted == ("navigate", "document")
