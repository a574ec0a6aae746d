"""Pages sent compressed, in such a way that their length does not give away what is in them."""

import gzip
import io
import secrets

from starlette.requests import HTTPConnection

SMALL = 1024  # bytes: below it a page fits into one packet anyway
LEVEL = 5
MOST_PADDING = 64  # bytes


def zipped(connection: HTTPConnection, body: bytes) -> tuple[bytes, dict[str, str]]:
    """The body as it is sent, with the headers that say so: compressed if the caller takes that and it is worth it.

    Who can make a browser ask for pages with words of their choice, and sees the lengths of the answers, can guess a
    secret that a compressed page contains (BREACH). Another site cannot: its requests come without our cookie, which
    is SameSite=Strict, and so get the login. Beyond that every answer has a name of random length in its gzip header,
    which browsers drop: a guess has to be repeated many times over before the lengths tell right from wrong.
    """
    headers = {"Vary": "Accept-Encoding"}
    if len(body) < SMALL or "gzip" not in connection.headers.get("accept-encoding", ""):
        return body, headers
    written = io.BytesIO()
    padding = "x" * (1 + secrets.randbelow(MOST_PADDING))
    with gzip.GzipFile(padding, "wb", LEVEL, written, mtime=0) as file:
        file.write(body)
    return written.getvalue(), headers | {"Content-Encoding": "gzip"}
