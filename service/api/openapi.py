"""The published description: FastAPI's, with the definition's full schema for submitted and shown studies."""

import copy
from typing import Any

from fastapi import FastAPI

from search_spaces import definition_schema, load_preset, preset_names

DEFINITION = "StudyDefinition"
_COMPONENTS = "#/components/schemas/"
_REFERENCE = {"$ref": _COMPONENTS + DEFINITION}

# What a body that is a definition holds.
DEFINITION_CONTENT = {
    "schema": _REFERENCE,
    "examples": {name: {"summary": f"The preset {name}", "value": load_preset(name)} for name in preset_names()},
}


def publish(app: FastAPI) -> None:
    """Let `app.openapi()` describe what a study's definition is."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_definition(describe())
        return app.openapi_schema

    # The way FastAPI's documentation names for extending its description.
    app.openapi = described  # type: ignore[method-assign]


def with_definition(description: dict[str, Any]) -> dict[str, Any]:
    """The description with the definition's schema among its components and wherever a definition is shown."""
    described = copy.deepcopy(description)
    schemas = described["components"]["schemas"]
    schemas.update(definition_components())
    schemas["StudyDetail"]["properties"]["definition"] = _REFERENCE
    return described


def definition_components() -> dict[str, Any]:
    """The definition's schema and its parts as OpenAPI components: OpenAPI resolves no `$defs` of a part."""
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
