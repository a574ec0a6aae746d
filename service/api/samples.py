"""Makes an example of a JSON Schema from the examples of its parts."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

_PLAIN: Mapping[str, Any] = {"string": "...", "integer": 0, "number": 0.5, "boolean": True}


def sample(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """Return a value of the schema; `components` are the schemas that its references name."""
    meant = _meant(schema, components)
    if "examples" in meant:
        return meant["examples"][0]
    if meant.get("type") == "object":
        return {name: sample(part, components) for name, part in meant.get("properties", {}).items()}
    if meant.get("type") == "array":
        return [sample(meant.get("items", {}), components)]
    return _plain(meant)


def _meant(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """The schema behind references, and the first of several choices."""
    while "examples" not in schema and not {"$ref", "anyOf"}.isdisjoint(schema):
        schema = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema["anyOf"][0]
    return schema


def _plain(schema: Schema) -> Any:
    if schema.get("format") == "date-time":
        return "2026-01-31T12:00:00Z"
    fixed = schema.get("const", schema.get("enum", [None])[0])
    return fixed if fixed is not None else schema.get("default", _PLAIN.get(schema.get("type", "")))
