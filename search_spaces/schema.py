"""The definition's JSON Schema, for editors and for other languages."""

from typing import Any

from search_spaces.definition import StudyDefinition


def definition_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of what `parse_definition` takes; the rules beyond shape are not in it."""
    schema = StudyDefinition.model_json_schema(mode="validation")
    for part in schema["$defs"].values():
        tags = [name for name, field in part["properties"].items() if "const" in field]
        # A tag has a default in Python, where the class gives it; in a file it tells the parts apart.
        part["required"] = [*tags, *part.get("required", ())]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **closed(schema)}


def closed(node: Any) -> Any:
    """The schema in which mappings refuse every key outside their pattern, as pydantic does."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: closed(value) for key, value in node.items()}
    return inner | {"additionalProperties": False} if "patternProperties" in inner else inner
