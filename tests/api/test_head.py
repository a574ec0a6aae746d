"""HEAD answers as GET does, without the body."""

import httpx
import pytest

from tests.api.fleet import definition_data


@pytest.mark.parametrize("path", ["", "/trials", "/report", "/trials.csv", "/trials/99", "/nonsense"])
def test_a_head_has_the_status_and_the_headers_of_a_get(api: httpx.Client, path: str) -> None:
    api.post("/v1/studies", json=definition_data())
    got, headed = api.get(f"/v1/studies/digits-1{path}"), api.head(f"/v1/studies/digits-1{path}")
    assert headed.content == b""
    assert headed.status_code == got.status_code
    for name in ("content-type", "content-disposition"):
        assert headed.headers.get(name) == got.headers.get(name)
    assert api.get("/v1/studies").status_code == 200, "the connection goes on"


def test_the_allowed_methods_name_it(api: httpx.Client) -> None:
    assert api.put("/v1/studies").headers["Allow"] == "GET, HEAD, POST"
