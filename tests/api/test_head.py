"""HEAD answers as GET does, without the body."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from service.web.heads import HeadAsGet
from tests.api.fleet import definition_data
from tests.api.serving import served


@pytest.mark.parametrize("path", ["", "/trials", "/report", "/trials.csv", "/trials/99", "/nonsense"])
def test_a_head_has_the_status_and_the_headers_of_a_get(api: httpx.Client, path: str) -> None:
    api.post("/v1/studies", json=definition_data())
    got, headed = api.get(f"/v1/studies/digits-1{path}"), api.head(f"/v1/studies/digits-1{path}")
    assert headed.content == b""
    assert headed.status_code == got.status_code
    for name in ("content-type", "content-disposition"):
        assert headed.headers.get(name) == got.headers.get(name)
    assert api.get("/v1/studies").status_code == 200, "the connection goes on"


def test_of_a_stream_no_more_is_made_than_its_beginning() -> None:
    made = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield bytes(1 << 16)

    app = Starlette(routes=[Route("/", lambda _request: StreamingResponse(pieces()))])
    with served(HeadAsGet(app)) as address:
        assert httpx.head(address, trust_env=False).status_code == 200
    assert len(made) < 5


def test_the_allowed_methods_name_it(api: httpx.Client) -> None:
    assert api.put("/v1/studies").headers["Allow"] == "GET, HEAD, POST"
