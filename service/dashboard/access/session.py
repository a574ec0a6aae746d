"""Who has logged in: each login is a random token, known to this process until its logout or its end."""

import hashlib
import secrets
from collections import OrderedDict

COOKIE = "pernodedrop_session"
LIFETIME_S = 12 * 3600
MOST_SESSIONS = 10_000  # open at once; the oldest ends first


class Sessions:
    """The open sessions. Times are seconds since the epoch. A new process knows none, so all log in again."""

    def __init__(self) -> None:
        self._ends: OrderedDict[bytes, float] = OrderedDict()  # by the token's digest, the first to end first

    def open(self, now: float) -> str:
        """Begin a session and return its token, which is valid for `LIFETIME_S` from `now`."""
        for digest in [digest for digest, end in self._ends.items() if end <= now]:
            del self._ends[digest]
        if len(self._ends) >= MOST_SESSIONS:
            self._ends.popitem(last=False)
        token = secrets.token_urlsafe(32)
        self._ends[_digest(token)] = now + LIFETIME_S
        return token

    def is_open(self, token: str, now: float) -> bool:
        """Whether a session of this token was begun and has not ended."""
        return now < self._ends.get(_digest(token), 0.0)

    def close(self, token: str) -> None:
        """End the session, whoever else holds its token."""
        self._ends.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    """What is kept of a token: looking it up takes as long for every wrong one."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
