"""Access to the servers: callers have the key, or without a key they are on this machine."""

import hashlib
import hmac
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Security
from fastapi.security import APIKeyHeader
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

key_header = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="The header holds the value of PERNODEDROP_API_KEY; a controller without a key does not need it.",
    auto_error=False,
)


class WrongKey(Exception):
    """The header X-API-Key is missing or wrong: send the value of PERNODEDROP_API_KEY."""

    def __str__(self) -> str:
        return str(self.__doc__)


def refuse_open_door(host: str, api_key: str | None) -> None:
    """Raise ValueError unless there is a key or only this machine can call."""
    if not api_key and not is_loopback(host):
        raise ValueError(f"listening on {host!r} needs an API key: set PERNODEDROP_API_KEY, or listen on 127.0.0.1")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens on the address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def same_secret(given: bytes, expected: bytes) -> bool:
    """Compare in a time that reveals neither where the two differ nor how long the expected one is."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def key_check(expected: str | None) -> Callable[..., None]:
    """A FastAPI dependency that raises `WrongKey` unless the request has the expected key."""

    def require_key(given: str | None = Security(key_header)) -> None:
        if expected is None:
            return
        # Header values arrive decoded as latin-1: encoding them back gives the bytes that were sent.
        if given is None or not same_secret(given.encode("latin-1"), expected.encode()):
            raise WrongKey

    return require_key


def url_host(authority: str) -> str:
    """The host part of a `Host` header, with the brackets of an IPv6 address; "" where there is none."""
    try:
        host = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
    return f"[{host}]" if ":" in host else host


class LoopbackOnly:
    """ASGI middleware for a server without a key: refuses what a foreign web page makes a browser send.

    A page that re-binds its name to 127.0.0.1 shows in `Host`; a form it posts here shows in `Origin`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
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
    return None
