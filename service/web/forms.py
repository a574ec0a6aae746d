"""Posted forms, read up to a limit: fields by name, and the text of a chosen file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.web.bodies import MAX_BODY_BYTES, NotJson, bounded_body

MOST_FIELDS = 2000
# A letter takes three characters in a form where it takes one in a file.
MAX_FORM_BYTES = 3 * MAX_BODY_BYTES + 64 * 1024
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


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
        raise NotForm(f"a form must have at most {MOST_FIELDS} fields") from None
    return Form(several)


def _in_parts(said: str, body: bytes) -> Form:
    head = f"Content-Type: {said}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise NotForm(f"the form's parts cannot be told apart: send {URLENCODED}")
    several: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    parts: list[Message] = message.get_payload()  # type: ignore[assignment]  # of a message in parts
    for part in parts[:MOST_FIELDS]:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename() is None:
            several.setdefault(name, []).append(content.decode("utf-8", "replace"))
        elif content:
            files[name] = content
    return Form(several, files)
