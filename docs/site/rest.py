"""The page of the REST interface, from its OpenAPI description."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.api.app import create_app
from service.settings import Settings

NOWHERE = "postgresql://localhost/none"  # a description asks no database

INTRO = """\
# REST

All routes are under the controller's address, by default `http://127.0.0.1:8000`. A running controller shows every
field of every body at `/docs`, and publishes the description that this page is made from as `/openapi.json`. Errors are
JSON with a line for people and a code for programs.
"""


def page() -> str:
    description = create_app(Settings.from_environment({"DATABASE_URL": NOWHERE})).openapi()
    tags: dict[str, list[str]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            tags.setdefault(operation.get("tags", ["other"])[0], []).extend(_operation(path, method, operation))
    said = {tag["name"]: tag.get("description", "") for tag in description.get("tags", ())}
    parts = [INTRO]
    for tag, lines in tags.items():
        parts += [f"## {tag[0].upper()}{tag[1:]}\n", f"{said.get(tag, '')}\n", *lines]
    return "\n".join(parts)


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`\n"
    if operation.get("description"):
        yield f"{operation['description']}\n"
    parameters = operation.get("parameters", ())
    if parameters:
        yield "| parameter | in | |\n| --- | --- | --- |"
        for one in parameters:
            said = " ".join(str(one.get("description", "")).replace("|", "\\|").split())
            yield f"| `{one['name']}` | {one['in']} | {said} |"
        yield ""
    yield "| answer | |\n| --- | --- |"
    for status, answer in operation["responses"].items():
        yield f"| `{status}` | {' '.join(answer.get('description', '').split())} |"
    yield ""
