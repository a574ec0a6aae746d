"""Who calls, and what they may do: the same words for the API and for the dashboard."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from search_spaces.task_modules import ALL_MODULES, TaskModules
from service.storage.access.bounds import BY_SETTING
from service.storage.access.roles import Role

_STATE = "caller"
_ADMITTED = "is_admitted"

__all__ = [
    "KEY_HOLDER",
    "LOCAL",
    "Caller",
    "LinkEnded",
    "NotAllowed",
    "Role",
    "TaskNotAllowed",
    "caller_of",
    "check_task",
    "is_admitted",
    "known_caller",
    "note_caller",
    "require",
]


@dataclass(frozen=True)
class Caller:
    """Who has sent a request."""

    name: str
    role: Role
    tasks: TaskModules = ALL_MODULES  # whose own tasks the caller may let run, beside those that the operator allows
    study: str | None = None  # a link's caller reads this study alone; None: every study

    def may(self, role: Role) -> bool:
        """Whether the caller may do what takes this role."""
        return self.study is None and self.role.includes(role)


LOCAL = Caller("this machine", Role.ADMIN)  # on a server without a key, which only this machine reaches
KEY_HOLDER = Caller(BY_SETTING, Role.ADMIN)


class NotAllowed(Exception):
    """The caller's role is too low for this."""

    def __init__(self, role: Role, caller: Caller) -> None:
        has = caller.role if caller.study is None else f"a link that shows study {caller.study} alone"
        super().__init__(f"this takes the role {role}, and {caller.name} has {has}")


class TaskNotAllowed(Exception):
    """The caller's key has no permission for the modules of this task."""

    def __init__(self, task: str, caller: Caller) -> None:
        allowed = ", ".join(caller.tasks.names or ()) or "none"
        module = task.partition(":")[0]
        super().__init__(
            f"key {caller.name!r} may run own tasks of the modules {allowed}, not of {module!r}: "
            "ask an admin for a key with this module, or use a built-in task"
        )


class LinkEnded(Exception):
    """The link has ended or was taken back, or is incomplete: ask who sent it for another."""

    def __str__(self) -> str:
        return str(self.__doc__)


def check_task(caller: Caller, task: str) -> None:
    """Return if the caller may let runs of the task begin, such as "digits" or "package.module:Class".

    Raises:
        TaskNotAllowed: the key's list lacks its module. What the operator allows is checked beside it.
    """
    if caller.tasks.refusal(task) is not None:
        raise TaskNotAllowed(task, caller)


def require(connection: HTTPConnection, role: Role) -> Caller:
    """Return who has sent the request. Raises NotAllowed: the caller's role is below this one."""
    caller = caller_of(connection)
    if not caller.may(role):
        raise NotAllowed(role, caller)
    return caller


async def _always() -> bool:
    return True


def note_caller(connection: HTTPConnection, caller: Caller, admitted: Callable[[], Awaitable[bool]] = _always) -> None:
    """Note who has sent the request: called once, by what has checked it.

    `admitted` says whether it still is: an answer that lasts asks it about once a second.
    """
    setattr(connection.state, _STATE, caller)
    setattr(connection.state, _ADMITTED, admitted)


def caller_of(connection: HTTPConnection) -> Caller:
    """Who has sent the request. Raises AttributeError where nobody has checked it: no route is open by mistake."""
    caller: Caller = getattr(connection.state, _STATE)
    return caller


def known_caller(connection: HTTPConnection) -> Caller | None:
    """Who has sent the request; None where nobody has checked it, or whom it was refused."""
    return getattr(connection.state, _STATE, None)


async def is_admitted(connection: HTTPConnection) -> bool:
    """Whether the caller would still be let in: a session ends, a key is revoked."""
    admitted: Callable[[], Awaitable[bool]] = getattr(connection.state, _ADMITTED)
    return await admitted()
