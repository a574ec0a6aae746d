"""Request bodies, read with a bound: a body without a length is counted while it arrives."""

import json
import math
from typing import Any

from fastapi import Request

MAX_BODY_BYTES = 1024 * 1024


class BodyTooLarge(Exception):
    """The body is larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body must be at most {limit} bytes: send a smaller definition")


class NotJson(Exception):
    """The body is not a JSON object."""


async def bounded_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body; raises `BodyTooLarge` as soon as more than `limit` bytes are announced or seen."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise BodyTooLarge(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object; raises `NotJson` with the place of the first fault, or `BodyTooLarge`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson(f"the body must be sent as Content-Type application/json, got {media_type[:100]!r}")
    try:
        body = json.loads(await bounded_body(request), parse_float=_finite, parse_constant=_finite)
        json.dumps(body, ensure_ascii=False).encode()  # half of a surrogate pair is a ValueError here
    except RecursionError:
        raise NotJson("the body is nested too deeply: a study definition needs a few levels") from None
    except ValueError as error:
        raise NotJson(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise NotJson(f"the body must be a JSON object, got {type(body).__name__}")
    return body


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:100]} is no finite number")
    return number
