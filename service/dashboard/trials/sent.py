"""Answers to the programs of the pages: JSON, compressed for whoever takes it so."""

import gzip
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

SMALL = 1_000  # bytes that are sent as they are


def encoded(data: Any) -> bytes:
    """The data as JSON in UTF-8. Raises ValueError: a number is not finite."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sent(request: Request, content: bytes, status: int = 200) -> Response:
    """The encoded data as an answer that nobody keeps."""
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if len(content) > SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        content = gzip.compress(content, 1)
    return Response(content, status, headers, media_type="application/json")
