"""Who has the API key: one check for the API and for the dashboard's login, which guessing slows down."""

import hashlib
import hmac
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from fastapi import Request, Security
from fastapi.security import APIKeyHeader
from starlette.requests import HTTPConnection

from service.web.access import KEY_HOLDER, LOCAL, note_caller
from service.web.throttle import Throttle, sender_of

SHORTEST = 16  # characters of a key, where others than this machine can try
MOST_REMEMBERED = 4096  # wrong keys

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


class TooManyWrongKeys(Exception):
    """This address gave wrong keys: its next one is looked at in `wait_s` seconds, whatever it is."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"too many wrong keys from this address: try again in {self.wait_s} s")


class KeyCheck:
    """Compares keys with the expected one. A wrong one makes its sender wait, twice as long each time.

    The same wrong key again is no further guess: a program with an old key locks out nobody. For one event loop.
    """

    def __init__(self, expected: str) -> None:
        self._expected = expected.encode()
        self._throttle = Throttle()
        self._salt = secrets.token_bytes(16)
        self._wrong: OrderedDict[bytes, None] = OrderedDict()

    def admit(self, given: bytes, caller: HTTPConnection, now: float | None = None) -> None:
        """Return if the key is the expected one; `now` is a monotonic time (s).

        Raises:
            WrongKey: it is another one, or none.
            TooManyWrongKeys: it was not looked at, because its sender has to wait.
        """
        if not given:
            raise WrongKey
        now = monotonic() if now is None else now
        sender = sender_of(caller.client.host if caller.client else "")
        known = hmac.digest(self._salt, sender.encode() + b"\0" + given, hashlib.sha256)
        if known in self._wrong:
            raise WrongKey
        wait = self._throttle.wait_s(sender, now)
        if wait > 0:
            raise TooManyWrongKeys(wait)
        if same_secret(given, self._expected):
            self._throttle.succeeded(sender, now)
            return
        self._throttle.failed(sender, now)
        self._wrong[known] = None
        if len(self._wrong) > MOST_REMEMBERED:
            self._wrong.popitem(last=False)
        raise WrongKey


def same_secret(given: bytes, expected: bytes) -> bool:
    """Compare in a time that reveals neither where the two differ nor how long the expected one is."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def key_required(expected: str | None) -> Callable[..., Coroutine[Any, Any, None]]:
    """A FastAPI dependency that raises as `KeyCheck.admit` unless the request has the expected key, if there is one."""
    check = None if expected is None else KeyCheck(expected)

    async def require_key(request: Request, given: str | None = Security(key_header)) -> None:
        if check is not None:
            # Header values arrive decoded as latin-1: encoding them back gives the bytes that were sent.
            check.admit((given or "").encode("latin-1"), request)
        note_caller(request, LOCAL if check is None else KEY_HOLDER)

    return require_key
