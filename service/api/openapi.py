"""The published description: FastAPI's own, with the definition's full schema wherever a definition occurs."""

import copy
from typing import Any

from fastapi import FastAPI

from search_spaces import definition_schema, load_preset, preset_names
from service.api.roles import takes

DEFINITION = "StudyDefinition"
_COMPONENTS = "#/components/schemas/"
_REFERENCE = {"$ref": _COMPONENTS + DEFINITION}

# The content of a body that is a definition.
DEFINITION_CONTENT = {
    "schema": _REFERENCE,
    "examples": {name: {"summary": f"The preset {name}", "value": load_preset(name)} for name in preset_names()},
}


def publish(app: FastAPI) -> None:
    """Make `app.openapi()` describe a study's definition."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_definition(describe())
        return app.openapi_schema

    # FastAPI's documentation extends its description in this way.
    app.openapi = described  # type: ignore[method-assign]


def with_definition(description: dict[str, Any]) -> dict[str, Any]:
    """The description with the definition's schema among its components and wherever a definition is shown."""
    described = copy.deepcopy(description)
    schemas = described["components"]["schemas"]
    schemas.update(definition_components())
    schemas["StudyDetail"]["properties"]["definition"] = _REFERENCE
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if "security" in operation:
                operation["x-role"] = takes(method.upper(), path).role.value
    return described


def definition_components() -> dict[str, Any]:
    """The definition's schema and its parts as OpenAPI components: OpenAPI does not resolve `$defs` inside a part."""
    schema = definition_schema()
    parts = schema.pop("$defs", {})
    schema.pop("$schema", None)
    components: dict[str, Any] = _relocated({DEFINITION: schema, **parts})
    return components


def _relocated(value: Any) -> Any:
    """The schema with every reference into `$defs` pointing at the components instead."""
    if isinstance(value, dict):
        return {key: _relocated(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_relocated(member) for member in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return _COMPONENTS + value.removeprefix("#/$defs/")
    return value
