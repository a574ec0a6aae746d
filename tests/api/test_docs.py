"""The reference for people: every route, examples that hold, and nothing from anywhere else."""

import re

import httpx

from search_spaces import parse_definition
from service.api.samples import sample
from tests.api.fleet import definition_data


def test_the_reference_names_every_route_and_loads_nothing(lonely_api: httpx.Client) -> None:
    page = lonely_api.get("/docs")
    assert page.status_code == 200
    for path, methods in lonely_api.get("/openapi.json").json()["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page.text
    assert "<script" not in page.text
    assert re.findall(r'(?:src|href)="([^"]*)"', page.text) == ["openapi.json"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_the_examples_of_a_body_are_valid_definitions(lonely_api: httpx.Client) -> None:
    description = lonely_api.get("/openapi.json").json()
    content = description["paths"]["/v1/studies"]["post"]["requestBody"]["content"]["application/json"]
    assert content["examples"]
    for example in content["examples"].values():
        parse_definition(example["value"])


def test_no_reference_of_the_description_leads_nowhere(lonely_api: httpx.Client) -> None:
    text = lonely_api.get("/openapi.json").text
    components = lonely_api.get("/openapi.json").json()["components"]["schemas"]
    references = set(re.findall(r'"#/([^"]*)"', text))
    assert references
    assert references <= {f"components/schemas/{name}" for name in components}


def test_every_keyed_route_documents_its_errors(lonely_api: httpx.Client) -> None:
    for path, methods in lonely_api.get("/openapi.json").json()["paths"].items():
        if path in ("/v1/health", "/v1/ready"):
            continue
        for operation in methods.values():
            assert {"400", "401", "422", "503"} <= set(operation["responses"])
            for status, response in operation["responses"].items():
                if status >= "400":
                    content = response["content"]["application/json"]
                    assert content["schema"]["$ref"].endswith("/ErrorOut")
                    assert content["example"]["error"]


def test_every_route_that_reads_a_body_describes_it(lonely_api: httpx.Client) -> None:
    paths = lonely_api.get("/openapi.json").json()["paths"]
    operations = [(f"{method} {path}", what) for path, methods in paths.items() for method, what in methods.items()]
    reading = {name for name, operation in operations if "413" in operation["responses"]}
    assert len(reading) == 16
    assert {name for name, operation in operations if "requestBody" in operation} == reading


def test_a_documented_error_is_the_one_that_a_client_gets(api: httpx.Client) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    documented = {**paths["/v1/studies"]["post"]["responses"], **paths["/v1/studies/{name}"]["get"]["responses"]}
    broken = definition_data()
    broken["search_space"]["drop_rate"] = {"type": "float", "low": 0.0, "high": 1.2}
    answers = [api.get("/v1/studies/digits-1"), api.post("/v1/studies", json=broken)]
    api.post("/v1/studies", json=definition_data()).raise_for_status()
    answers.append(api.post("/v1/studies", json=definition_data()))
    assert [answer.status_code for answer in answers] == [404, 422, 409]
    for answer in answers:
        example = documented[str(answer.status_code)]["content"]["application/json"]["example"]
        assert answer.json() == example


def test_a_sample_has_the_shape_of_an_answer(api: httpx.Client) -> None:
    answer = api.post("/v1/studies", json=definition_data()).json()
    components = api.get("/openapi.json").json()["components"]["schemas"]
    assert set(sample({"$ref": "#/components/schemas/Submitted"}, components)) == set(answer)
