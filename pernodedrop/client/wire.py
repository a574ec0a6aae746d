"""A request and its answer, without the network: what is sent, and what an answer's status and body mean."""

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

import httpx

from pernodedrop.client.errors import Away, LeaseLost, Refused, Unreachable
from pernodedrop.installation import RELEASE, installed_version
from pernodedrop.proxies import variables
from pernodedrop.visible import visible, visible_lines

T = TypeVar("T")

PATIENT = 300.0  # s: the results of a large study take long
MOST_BYTES = 64 << 20  # of an answer; a page of records has a thousandth of it
MOST_FILE_BYTES = 2 << 30  # of a file of results
_LONGEST_SHOWN = 60
_OF_ANOTHER_RELEASE = ("not_found", "method_not_allowed")  # errors of a route that the other side does not know
_UNKNOWN_FIELD = "is no known field"  # in the words of a problem
_UNKNOWN_PART = "path."  # how the words of a part of an address begin


@dataclass(frozen=True)
class Request:
    """One request below /v1/."""

    method: str
    path: str
    params: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None  # sent as JSON
    text: bytes | None = None  # sent as it is
    timeout: float | None = None  # s; None: the connection's
    most_bytes: int = MOST_BYTES
    is_file: bool = False  # the answer is a file, which the controller gives a name

    def options(self) -> dict[str, Any]:
        """What httpx takes besides method and path."""
        taken: dict[str, Any] = {"params": dict(self.params)}
        if self.timeout is not None:
            taken["timeout"] = self.timeout
        if self.body is not None:
            taken["content"] = json.dumps(self.body, default=_plain).encode()
            taken["headers"] = {"Content-Type": "application/json"}
        elif self.text is not None:
            taken["content"] = self.text
            taken["headers"] = {"Content-Type": "application/yaml"}
        return taken


@dataclass(frozen=True)
class Pause:
    """So many seconds without a request."""

    seconds: float


# An operation: it yields requests and pauses, is sent each answer's body, and returns its result. A failed request is
# raised inside of it. So the calls that wait for the network, and those that are awaited, share every operation.
Steps = Generator[Request | Pause, bytes, T]


def asked(request: Request) -> Steps[Any]:
    """Send one request and return its JSON."""
    return json_of((yield request))


class Malformed(Exception):
    """An answer is not as this client knows it."""


def json_of(content: bytes) -> Any:
    """The JSON of an answer.

    Raises:
        Malformed: it is none.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Malformed from None


def unsendable(error: UnicodeEncodeError) -> Refused:
    """The refusal of a text with half a character, which no server could be sent."""
    quoted = visible(json.dumps(str(error.object)[: _LONGEST_SHOWN + 1], ensure_ascii=False))
    shown = quoted if len(quoted) <= _LONGEST_SHOWN else f"{quoted[:_LONGEST_SHOWN]}..."
    message = f"{shown} is no valid text: a terminal of another encoding gives such letters"
    return Refused(httpx.codes.UNPROCESSABLE_ENTITY, "invalid_text", message)


def _plain(value: Any) -> Any:
    """What JSON says for numpy's, pandas' and torch's numbers and for collections; the rest, such as YAML's dates, as
    text. JSON's NaN is none, and the controller says what is wrong with it."""
    if callable(numbers := getattr(value, "tolist", None)):
        return numbers()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else str(value)


def broken_off(url: str, error: Exception) -> Unreachable:
    """The error for an answer that ended before it was whole."""
    return Unreachable(f"the answer of {url} broke off ({str(error) or type(error).__name__}): try again")


def unreachable(url: str, error: Exception) -> Unreachable:
    """The error for a controller that cannot be spoken to, with the variables that may be why."""
    reason = str(error) or type(error).__name__
    taken = [name for name in variables(url) if "SSL" in reason or "SSL" not in name]
    if taken:
        reason += f"; the environment sets {', '.join(taken)}"
    return Unreachable(
        f"no controller answers at {url} ({reason}): start one with `pernodedrop serve`, "
        "or set PERNODEDROP_URL to its address"
    )


def refusal(url: str, status: int, content: bytes, headers: Mapping[str, str]) -> Unreachable | Refused:
    """The exception that an answer with an error means."""
    try:
        told = json.loads(content)
        error, message = str(told["error"]), str(told["message"])
        problems = [str(problem["message"]) for problem in told.get("problems") or []]
    except (ValueError, TypeError, KeyError, AttributeError):
        return stranger(url, status, headers)
    message = visible_lines("\n".join(problems or [message]))
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        return Away(message)
    unknown = [one for one in problems if _UNKNOWN_FIELD in one or one.startswith(_UNKNOWN_PART)]
    other = other_release(url, headers) if unknown or error in _OF_ANOTHER_RELEASE else None
    if other is not None:
        message = f"{message}; {other}"
    return (LeaseLost if error == "lease_lost" else Refused)(status, error, message)


def check_named(url: str, request: Request, headers: Mapping[str, str]) -> None:
    """Return unless a file was asked for and the answer is none: a login page of a proxy, for example.

    Raises:
        Refused: it is none of this program's controller.
    """
    if request.is_file and "Content-Disposition" not in headers:
        raise stranger(url, httpx.codes.OK, headers)


def other_release(url: str, headers: Mapping[str, str]) -> str | None:
    """That the controller is of another release than this client, with both and the remedy; None where it is not."""
    theirs, ours = headers.get(RELEASE), installed_version()
    if theirs is None or theirs == ours:
        return None
    return (
        f"the controller at {url} is of release {visible(theirs)[:_LONGEST_SHOWN]}, this client of {ours}: install the "
        "same release on both sides"
    )


def stranger(url: str, status: int, headers: Mapping[str, str]) -> Refused:
    """The refusal of an answer that no controller of this release gives."""
    other = other_release(url, headers)
    if other is not None:
        return Refused(status, "another_release", other)
    checked = ["PERNODEDROP_URL", *(name for name in variables(url) if "SSL" not in name)]
    message = f"{url} answers, but not as this program's controller does: check {' and '.join(checked)}"
    if status == httpx.codes.OK and "X-Request-ID" in headers:  # a controller from before there was the header
        message += f", or bring the controller to this client's release, {installed_version()}"
    return Refused(status, "unknown_answer", message)


def too_large(url: str, most_bytes: int) -> NoReturn:
    """Refuse an answer that is larger than it may be."""
    raise Refused(
        httpx.codes.OK, "unknown_answer", f"{url} answers with more than {most_bytes} bytes: check PERNODEDROP_URL"
    )
