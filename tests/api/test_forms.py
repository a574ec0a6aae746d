"""Posted forms in parts: what browsers and programs send is read, and what was made to cost time costs none."""

import asyncio
import contextlib

import httpx
import pytest
from starlette.requests import Request

from service.web.forms import MOST_FIELDS, Form, NotForm, posted

KIND = "multipart/form-data; boundary=b"


def form_of(body: bytes, kind: str = KIND) -> Form:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    request = Request({"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}, receive)
    return asyncio.run(posted(request))


def test_what_a_program_sends_is_read() -> None:
    values = {"text": "a: 1\r\n--b\r\n\r\nend", "ü": "ö\n", "empty": "", "several": ["1", "2"]}
    sent = httpx.Request("POST", "http://x/", data=values, files={"file": ('a "name".yaml', b"\xff\r\n\r\n--b--\r\n")})
    form = form_of(sent.read(), sent.headers["content-type"])
    assert form.several == {
        "text": [values["text"]], "ü": ["ö\n"], "empty": [""], "several": ["1", "2"],
    }  # fmt: skip
    assert form.files == {"file": b"\xff\r\n\r\n--b--\r\n"}


def test_a_file_that_nobody_has_chosen_is_none() -> None:
    """As browsers send it."""
    form = form_of(b'--b\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n\r\n--b--\r\n')
    assert form == Form({}, {})


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('Content-Disposition: form-data; name="a"', "a"),
        ("content-disposition: FORM-DATA; name=a", "a"),
        ('Content-Type: text/plain\r\nContent-Disposition: form-data; name="a b"', "a b"),
        ('Content-Disposition: form-data; name="a"; x=y', "a"),
    ],
)
def test_a_name_is_found_however_it_is_written(disposition: str, name: str) -> None:
    form = form_of(f"--b\r\n{disposition}\r\n\r\nx\r\n--b--\r\n".encode())
    assert form.several == {name: ["x"]}


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=b"]
)
def test_parts_that_cannot_be_told_apart_are_refused(kind: str) -> None:
    with pytest.raises(NotForm):
        form_of(b"--b\r\n\r\n", kind)


def test_more_parts_than_a_form_has_are_refused() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'
    assert len(form_of(part * (MOST_FIELDS - 1) + b"--b--").several["a"]) == MOST_FIELDS - 1
    with pytest.raises(NotForm, match=f"at most {MOST_FIELDS} fields"):
        form_of(part * 40_000)


HEAD = b"--b\r\nContent-Disposition: form-data; name=a"


@pytest.mark.parametrize(
    "body",
    [
        b"".join(b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(50_000)),
        b"--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 90_000,
        b"--b\r\n" + b"A: b\r\n" * 500_000,
        HEAD + b"; x=y" * 600_000,
        HEAD + b"".join(b"; name*%d=a" % n for n in range(200_000)),
        HEAD.replace(b"=a", b'="') + b'\\"' * 1_500_000,
        HEAD + b"\r\n ;x=" * 400_000,
        b"--b\r\nContent-Disposition: form-data" + b" " * 3_000_000,
        b"--b\r\ncontent-disposition:" + b";name=" * 500_000,
        b"\r\n--" * 700_000,
    ],
    ids=["nested", "messages", "headers", "parameters", "pieces", "quotes", "folded", "spaces", "names", "dashes"],
)
def test_what_was_made_to_cost_time_is_read_or_refused(body: bytes) -> None:
    """Python's own parser of messages takes minutes for some of these, and raises RecursionError for others."""
    with contextlib.suppress(NotForm):
        form_of(body)
