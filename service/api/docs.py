"""The API's reference at /docs, made from its OpenAPI description, without scripts or foreign resources."""

import json
import shlex
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse

from service.api.samples import sample
from service.reports.markup import Html, document, element, join, stylesheet, table

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = (
    "h3 code { font-size: 1.05rem; } h3 { margin-top: 0; } pre { white-space: pre-wrap; } a { color: var(--accent); }"
)
Description = Mapping[str, Any]


def publish(app: FastAPI, url: str) -> None:
    """Serve the reference of the application's routes; clients reach it at `url`."""

    async def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(reference(app.openapi(), url), headers={"Content-Security-Policy": POLICY})

    app.add_route("/docs", docs, include_in_schema=False)


def reference(description: Description, url: str) -> Html:
    """The page for the controller at `url`: every operation with its parameters, a call to copy, answers and errors."""
    sheet = files("service.reports").joinpath("assets", "report.css").read_text(encoding="utf-8")
    title = description["info"]["title"]
    operations = [
        (method, path, operation)
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    ]
    return document(
        head=(
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", title),
            stylesheet(sheet + STYLE),
        ),
        body=(
            element(
                "main",
                element("p", f"Version {description['info']['version']}", class_="kicker"),
                element("h1", title),
                *(element("p", part) for part in description["info"]["description"].split("\n\n")),
                element("p", "For programs: ", element("a", "openapi.json", href="openapi.json")),
                *(_operation(*operation, description, url) for operation in operations),
            ),
        ),
    )


def _operation(method: str, path: str, operation: Description, description: Description, url: str) -> Html:
    return element(
        "section",
        element("h3", element("code", f"{method.upper()} {path}")),
        element("p", operation.get("description", operation["summary"])),
        _role(operation),
        _parameters(operation.get("parameters", [])),
        element("pre", _call(method, f"{url}{path}", operation)),
        *_request(operation),
        *_answers(operation["responses"], description),
    )


def _role(operation: Description) -> Html | None:
    role = operation.get("x-role")
    return element("p", "It takes the role ", element("code", role), ".") if role else None


def _parameters(parameters: Iterable[Description]) -> Html | None:
    rows = [(element("code", p["name"]), p["in"], _kind(p["schema"]), p.get("description", "")) for p in parameters]
    return table(("Parameter", "In", "Values", "Meaning"), rows, words=4) if rows else None


def _kind(schema: Description) -> str:
    """The values that a parameter takes, in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"] if choice.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "pattern" in schema:
        return str(schema["pattern"])
    bounds = [schema.get("minimum"), schema.get("maximum")]
    limits = f" from {bounds[0]} to {bounds[1]}" if None not in bounds else ""
    default = f", else {schema['default']}" if schema.get("default") is not None else ""
    return f"{schema.get('type', 'any')}{limits}{default}"


def _call(method: str, url: str, operation: Description) -> str:
    """The call of the URL as a command line."""
    for parameter in operation.get("parameters", []):
        example = parameter.get("example") or parameter["schema"].get("examples", [""])[0]
        url = url.replace(f"{{{parameter['name']}}}", str(example))
    words = ["curl" if method == "get" else f"curl -X {method.upper()}", url]
    if "security" in operation:
        words.append('-H "X-API-Key: $PERNODEDROP_API_KEY"')
    for content in operation.get("requestBody", {}).get("content", {}).values():
        body = json.dumps(content["example"]) if "example" in content else None
        words.append(f"-H 'Content-Type: application/json' -d {shlex.quote(body) if body else '@definition.json'}")
    return " ".join(words)


def _request(operation: Description) -> Iterable[Html]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for example in content.get("examples", {}).values():
            yield _folded(f"definition.json: {example['summary']}", example["value"])


def _answers(responses: Description, description: Description) -> Iterable[Html]:
    """A folded example for each answer, the errors' included."""
    for status, response in sorted(responses.items()):
        for content in response.get("content", {}).values():
            schema = content.get("schema", {})
            example = content.get("example", sample(schema, description["components"]["schemas"]))
            yield _folded(f"{status}: {response['description']}", example)


def _folded(title: str, example: Any) -> Html:
    written = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
    return element("details", join([element("summary", title), element("pre", written)]))
