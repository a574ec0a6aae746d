"""Request bodies, read up to a limit: a body without a length is counted while it arrives, and may not take long."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from search_spaces.growing import LONGEST_VALUE, Refused
from search_spaces.json_text import Malformed, decoded, read_json
from search_spaces.problems import shown
from service.web.lanes import Lane, whose

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

MAX_BODY_BYTES = 1024 * 1024
LONGEST_S = 20.0  # from the first to the last byte
DROPPED_S, DROPPED_BYTES = 2.0, 8 * MAX_BODY_BYTES  # of a body that is too large
PARSING = Lane("definitions", width=4, room=128)  # many rules may take a while, and other requests go on meanwhile


class BodyTooLarge(Exception):
    """The body is larger than the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body must be at most {limit} bytes: send a smaller definition")


class BodyTooSlow(Exception):
    """The body did not arrive within the limit."""

    def __init__(self) -> None:
        super().__init__(f"the body must arrive within {LONGEST_S:g} s: send it again on a faster connection")


class NotJson(Exception):
    """The body is not a JSON object."""


async def bounded_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """Return the whole body.

    Raises:
        BodyTooLarge: more than `limit` bytes are announced or seen. A client that is sending them reads the answer when
            it is done: what it still sends is dropped, up to `DROPPED_BYTES` and `DROPPED_S`. Closing at once would
            reset the connection, and the answer with it.
        BodyTooSlow: the rest has not arrived after `LONGEST_S`.
    """
    announced = request.headers.get("content-length", "0")
    is_too_large = announced.isdecimal() and int(announced) > limit
    if is_too_large and "expect" in request.headers:  # it waits for our word, and sends nothing
        raise BodyTooLarge(limit)
    body, dropped, now = bytearray(), 0, asyncio.get_running_loop().time
    try:
        async with asyncio.timeout(DROPPED_S if is_too_large else LONGEST_S) as deadline:
            async for chunk in request.stream():
                if is_too_large:
                    dropped += len(chunk)
                    if dropped > DROPPED_BYTES:
                        break
                    continue
                body += chunk
                if len(body) > limit:
                    is_too_large = True
                    deadline.reschedule(now() + DROPPED_S)
    except TimeoutError:
        if not is_too_large:
            raise BodyTooSlow from None
    if is_too_large:
        raise BodyTooLarge(limit)
    return bytes(body)


async def json_body(request: Request) -> bytes:
    """Return the body of a request that says it is JSON; raises `NotJson` otherwise, or as `bounded_body`."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotJson(f"the body must be sent as Content-Type application/json, got {media_type[:100]!r}")
    return await bounded_body(request)


def json_object(text: bytes, longest: int = LONGEST_VALUE) -> dict[str, Any]:
    """Return the JSON object of the text; raises `NotJson` with the place of the first fault.

    The same rules hold as for a definition in a file.
    """
    try:
        body = read_json(decoded(text), longest=longest)
    except Malformed as error:
        raise NotJson(f"the body is not JSON: {error}") from None
    except Refused as error:
        raise NotJson(f"cannot read the body: {error}") from None
    if not isinstance(body, dict):
        raise NotJson(f"the body must be a JSON object, got {shown(body)}")
    return body


class JsonBody(Generic[T]):
    """A FastAPI dependency: the bounded body, a JSON object, as `parse` understands it.

    `content` describes it as OpenAPI does, by "schema" and "example" or "examples". FastAPI does not see a body
    that a dependency reads; routes of the class `BodyRoute` add it to their description.
    """

    def __init__(
        self, parse: Callable[[dict[str, Any]], T], content: Mapping[str, Any], longest: int = LONGEST_VALUE
    ) -> None:
        self._parse, self._longest = parse, longest
        self.description = {"required": True, "content": {"application/json": content}}

    async def __call__(self, request: Request) -> T:
        text = await json_body(request)
        return await PARSING.run(whose(request), lambda: self._parse(json_object(text, self._longest)))


class BodyRoute(APIRoute):
    """A route whose description includes the body that a `JsonBody` reads for it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        for dependency in self.dependant.dependencies:
            if isinstance(dependency.call, JsonBody):
                self.openapi_extra = {**(self.openapi_extra or {}), "requestBody": dependency.call.description}


if TYPE_CHECKING:
    Body = Annotated[Model, JsonBody]
else:

    class Body:
        """`Body[Model]` annotates a route's argument: the body, checked against the model and described by it.

        A model with texts longer than a definition's says so by its `LONGEST_TEXT`, in characters.
        """

        def __class_getitem__(cls, model: type[Model]) -> object:
            longest = getattr(model, "LONGEST_TEXT", LONGEST_VALUE)
            return Annotated[model, Depends(JsonBody(_parser_of(model), _content_of(model), longest))]


def _parser_of(model: type[Model]) -> Callable[[dict[str, Any]], Model]:
    def parse(body: dict[str, Any]) -> Model:
        try:
            return model.model_validate(body)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in problems]) from None

    return parse


def _content_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = _whole(model.model_json_schema())
    example = {name: field.get("examples", [field.get("default")])[0] for name, field in schema["properties"].items()}
    return {"schema": schema, "example": example}


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with its parts in their places: a reference into a body's schema would lead nowhere."""
    parts = schema.pop("$defs", {})

    def placed(part: Any) -> Any:
        if isinstance(part, list):
            return [placed(one) for one in part]
        if not isinstance(part, dict):
            return part
        named = parts.get(str(part.get("$ref", "")).rpartition("/")[2])
        return placed(named) if named else {name: placed(one) for name, one in part.items()}

    found: dict[str, Any] = placed(schema)
    return found
