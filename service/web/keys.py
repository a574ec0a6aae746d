"""Who has a key: one check for the API and for the dashboard's login, which guessing slows down."""

import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.requests import HTTPConnection

from service.storage.access.secret import KEY, digest_of
from service.web.access import KEY_HOLDER, LOCAL, Caller, note_caller
from service.web.keyring import Keyring, caller_by
from service.web.throttle import Throttle, sender_of

SHORTEST = 16  # characters of a key, where others than this machine can try
MOST_REMEMBERED = 4096  # wrong keys
BEARER = b"bearer "

key_header = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="The header holds a key of `pernodedrop keys create`, or the value of PERNODEDROP_API_KEY; "
    "a controller without a key does not need it.",
    auto_error=False,
)
bearer = HTTPBearer(
    scheme_name="Bearer", description="`Authorization: Bearer KEY` is another way to send it.", auto_error=False
)


class WrongKey(Exception):
    """The key is missing, wrong or has ended: set PERNODEDROP_API_KEY, or send X-API-Key or Authorization: Bearer."""

    def __str__(self) -> str:
        return str(self.__doc__)


class TooManyWrongKeys(Exception):
    """This address gave wrong keys: its next one is looked at in `wait_s` seconds, whatever it is."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"too many wrong keys from this address: try again in {self.wait_s} s")


class KeyCheck:
    """Says who has a key. A wrong one makes its sender wait, twice as long each time.

    Keys that look like ours are judged by the database, also where PERNODEDROP_API_KEY has one of them: clients have
    their key in this variable too, and a server that is started beside one must not make more of it. Every other key
    is compared with PERNODEDROP_API_KEY, for which no database has to answer.

    The same wrong key again is no further guess: a program with an old key locks out nobody. For one event loop.
    """

    def __init__(self, expected: str | None, keyring: Keyring, *, is_local: bool) -> None:
        """`expected` is PERNODEDROP_API_KEY, None without one; `is_local` is whether only this machine can call."""
        self._is_local = is_local
        self._expected = None if expected is None else expected.encode()
        self._keyring = keyring
        self._throttle = Throttle()
        self._salt = secrets.token_bytes(16)
        self._wrong: OrderedDict[bytes, None] = OrderedDict()

    async def admit(self, given: bytes, connection: HTTPConnection, now: float | None = None) -> Caller:
        """Return who has this key; `now` is a monotonic time (s).

        Raises:
            WrongKey: nobody has it, or it has ended, or there is none.
            TooManyWrongKeys: it was not looked at, because its sender has to wait.
            DatabaseUnreachable: the database has to judge it, and is away.
        """
        if not given:
            raise WrongKey
        now = monotonic() if now is None else now
        sender = sender_of(connection.client.host if connection.client else "")
        known = hmac.digest(self._salt, sender.encode() + b"\0" + given, hashlib.sha256)
        is_ours = given.startswith(KEY.encode())
        if known in self._wrong and not is_ours:
            raise WrongKey
        wait = 0.0 if known in self._wrong else self._throttle.wait_s(sender, now)
        if wait > 0:
            raise TooManyWrongKeys(wait)
        caller = await self.holder(digest_of(given)) if is_ours else self._by_setting(digest_of(given))
        if caller is not None:
            self._wrong.pop(known, None)
            self._throttle.succeeded(sender, now)
            return caller
        if known not in self._wrong:
            self._throttle.failed(sender, now)
            self._wrong[known] = None
            if len(self._wrong) > MOST_REMEMBERED:
                self._wrong.popitem(last=False)
        raise WrongKey

    async def holder(self, digest: bytes) -> Caller | None:
        """Who has the key of this digest; None: nobody now. Raises DatabaseUnreachable: the database is away."""
        by_setting = self._by_setting(digest)
        if by_setting is not None and not (self._expected or b"").startswith(KEY.encode()):
            return by_setting
        found = await self._keyring.key(digest)
        if found is None:
            return by_setting
        return caller_by(found) if found.opens else None

    async def asks(self) -> bool:
        """Whether callers need a key: others than this machine can call, or the settings or the database have one."""
        return self._expected is not None or not self._is_local or await self._keyring.may_be_there()

    async def caller(self, request: HTTPConnection) -> Caller:
        """Who has sent the request, by the key in its headers; raises as `admit` where callers need one."""
        return await self.admit(key_of(request), request) if await self.asks() else LOCAL

    def _by_setting(self, digest: bytes) -> Caller | None:
        """Compare in a time that reveals neither where the two differ nor how long the expected one is."""
        if self._expected is None or not hmac.compare_digest(digest, digest_of(self._expected)):
            return None
        return KEY_HOLDER


def key_of(connection: HTTPConnection) -> bytes:
    """The key that the request's headers have, as it was sent; empty where there is none. X-API-Key goes first."""
    # Header values arrive decoded as latin-1: encoding them back gives the bytes that were sent.
    named = connection.headers.get("x-api-key", "").encode("latin-1")
    if named:
        return named
    said = connection.headers.get("authorization", "").encode("latin-1")
    return said[len(BEARER) :].strip() if said[: len(BEARER)].lower() == BEARER else b""


def key_required(check: KeyCheck) -> Callable[..., Coroutine[Any, Any, None]]:
    """A FastAPI dependency that notes who calls, and raises as `KeyCheck.admit` where callers need a key."""

    async def require_key(request: Request, _: object = Security(key_header), __: object = Security(bearer)) -> None:
        note_caller(request, await check.caller(request))

    return require_key
