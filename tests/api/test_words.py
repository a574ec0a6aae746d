"""What breaks a rule of a request is said with the rule and the value, in our own words."""

import httpx
import pytest

from tests.api.fleet import definition_data

BROKEN = (
    ("PATCH", "", {"tags": "a"}, 'body.tags must be a list, got "a"'),
    ("PATCH", "", {"nonsense": 1}, "body.nonsense is no field of this request, got 1"),
    ("GET", "/trials/1e3", None, 'path.number must be a whole number, got "1e3"'),
    ("GET", "/trials?limit=1.5", None, 'query.limit must be a whole number, got "1.5"'),
    ("GET", "/trials?descending=perhaps", None, 'query.descending must be true or false, got "perhaps"'),
    ("GET", "/later.csv", None, "path.table must be 'records', "),
)


@pytest.mark.parametrize(("method", "path", "body", "said"), BROKEN)
def test_the_rule_and_the_value_are_named(api: httpx.Client, method: str, path: str, body: object, said: str) -> None:
    api.post("/v1/studies", json=definition_data())
    answer = api.request(method, f"/v1/studies/digits-1{path}", json=body)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(said)
    assert "Input should" not in answer.text
