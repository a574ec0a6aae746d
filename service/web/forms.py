"""Posted forms, read up to a limit: fields by name, and the text of a chosen file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.web.bodies import MAX_BODY_BYTES, NotJson, bounded_body

MOST_FIELDS = 2000
# A letter takes three characters in a form where it takes one in a file.
MAX_FORM_BYTES = 3 * MAX_BODY_BYTES + 64 * 1024
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_LONGEST_HEAD = 4096  # bytes of a part's headers that are looked at
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAMED = re.compile(
    rb'^content-disposition:\s*form-data[^\r\n]*?;\s*name=(?:"([^"\r\n]*)"|([^\s;"]+))', re.IGNORECASE | re.MULTILINE
)
_FILE = re.compile(rb"^content-disposition:[^\r\n]*;\s*filename\*?=", re.IGNORECASE | re.MULTILINE)


class NotForm(NotJson):
    """The body is no form."""


@dataclass(frozen=True)
class Form:
    """What was posted."""

    several: Mapping[str, list[str]]  # the values of each field, in their order
    files: Mapping[str, bytes] = field(default_factory=dict)  # the content of each chosen file

    def __getitem__(self, name: str) -> str:
        """The field's first value; "" where it was not sent."""
        return self.several.get(name, [""])[0]

    def has(self, name: str) -> bool:
        return name in self.several


async def posted(request: Request, limit: int = MAX_FORM_BYTES) -> Form:
    """The request's form.

    Raises:
        NotForm: it is sent as something else, or cannot be read.
        BodyTooLarge, BodyTooSlow: see `bounded_body`.
    """
    said = request.headers.get("content-type", "")
    kind = said.partition(";")[0].strip().lower()
    if kind not in (URLENCODED, MULTIPART, ""):
        raise NotForm(f"the form must be sent as Content-Type {URLENCODED} or {MULTIPART}, got {kind[:100]!r}")
    body = await bounded_body(request, limit)
    return _in_parts(said, body) if kind == MULTIPART else _urlencoded(body)


def _urlencoded(body: bytes) -> Form:
    several: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        ):
            several.setdefault(name, []).append(value)
    except ValueError:
        raise _too_many() from None
    return Form(several)


def _in_parts(said: str, body: bytes) -> Form:
    """The form of a body in parts, as RFC 7578 has it: none within another, each with a name of its own.

    It takes a time that grows with the body's length and no faster, whatever the body is: it comes from anybody.
    """
    boundary = _BOUNDARY.search(said)
    if boundary is None:
        raise NotForm(f"the form's parts cannot be told apart: send {URLENCODED}")
    mark = b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1", "replace")
    _, *parts = (b"\r\n" + body).split(mark, MOST_FIELDS + 2)
    if len(parts) - any(part.startswith(b"--") for part in parts[-1:]) > MOST_FIELDS:  # the end is none
        raise _too_many()
    several: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    for part in parts:
        if part.startswith(b"--"):  # the end
            break
        head, _, content = part.partition(b"\r\n\r\n")
        named = _NAMED.search(head[:_LONGEST_HEAD])
        if named is None:
            continue
        name = (named[1] or named[2]).decode("utf-8", "replace")
        if _FILE.search(head[:_LONGEST_HEAD]) is None:
            several.setdefault(name, []).append(content.decode("utf-8", "replace"))
        elif content:
            files[name] = content
    return Form(several, files)


def _too_many() -> NotForm:
    return NotForm(f"a form must have at most {MOST_FIELDS} fields")
