"""Who has logged in: each login is a random token, known to this process until its logout or its end."""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

COOKIE = "pernodedrop_session"
LIFETIME_S = 12 * 3600
MOST_SESSIONS = 10_000  # open at once; the oldest ends first
MOST_OF_A_KEY = 2000  # so that who has one key cannot end the sessions of the others


class Sessions:
    """The open sessions. Times are seconds since the epoch. A new process knows none, so all log in again."""

    def __init__(self) -> None:
        self._open: OrderedDict[bytes, _Session] = OrderedDict()  # by the token's digest, the first to end first

    def open(self, now: float, key: bytes) -> str:
        """Begin a session and return its token, which is valid for `LIFETIME_S` from `now`.

        `key` is the digest of the key that opened it: the session ends with the key, too.
        """
        for digest in [digest for digest, session in self._open.items() if session.end <= now]:
            del self._open[digest]
        of_it = [digest for digest, session in self._open.items() if session.key == key]
        if len(of_it) >= MOST_OF_A_KEY:
            del self._open[of_it[0]]
        elif len(self._open) >= MOST_SESSIONS:
            self._open.popitem(last=False)
        token = secrets.token_urlsafe(32)
        self._open[_digest(token)] = _Session(now + LIFETIME_S, key)
        return token

    def key(self, token: str, now: float) -> bytes | None:
        """The digest of the key of the session of this token; None where none was begun, or it has ended."""
        session = self._open.get(_digest(token))
        return None if session is None or session.end <= now else session.key

    def close(self, token: str) -> None:
        """End the session, whoever else holds its token."""
        self._open.pop(_digest(token), None)


@dataclass(frozen=True)
class _Session:
    end: float
    key: bytes


def _digest(token: str) -> bytes:
    """What is kept of a token: looking it up takes as long for every wrong one."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
