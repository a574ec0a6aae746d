"""Who calls, and what they may do: the same words for the API and for the dashboard."""

from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

_STATE = "caller"


class Role(StrEnum):
    """What a caller may do; each may do what those before it may."""

    READ = "read"
    SUBMIT = "submit"  # and change what runs; tasks of modules that the operator allows
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether who has this role may do what takes the other."""
        return list(Role).index(self) >= list(Role).index(other)


@dataclass(frozen=True)
class Caller:
    """Who has sent a request."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether the caller may do what takes this role."""
        return self.role.includes(role)


class NotAllowed(Exception):
    """The caller has not the role that this takes."""


LOCAL = Caller("this machine", Role.ADMIN)  # on a server without a key, which only this machine reaches
KEY_HOLDER = Caller("PERNODEDROP_API_KEY", Role.ADMIN)


def note_caller(connection: HTTPConnection, caller: Caller) -> None:
    """Note who has sent the request: called once, by what has checked it."""
    setattr(connection.state, _STATE, caller)


def caller_of(connection: HTTPConnection) -> Caller:
    """Who has sent the request. Raises AttributeError where nobody has checked it: no route is open by mistake."""
    caller: Caller = getattr(connection.state, _STATE)
    return caller


class Local:
    """ASGI middleware for a server without a key: every caller is on this machine, which `LoopbackOnly` sees to."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            note_caller(HTTPConnection(scope), LOCAL)
        await self.app(scope, receive, send)
