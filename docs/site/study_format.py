"""The page of the study format, from the JSON Schema of a definition."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from search_spaces import definition_schema

Node = Mapping[str, Any]

INTRO = """\
# Study format

A study is a YAML or JSON file, or the body of `POST /v1/studies`. A field that is not on this page is refused.
`pernodedrop presets NAME` prints a definition to start from, and `GET /v1/schema` gives editors the JSON Schema that
this page is made from.
"""
RAISES = "\nRaises "  # what follows in a docstring is for programs
_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null", "object": "mapping"}


def page() -> str:
    schema = definition_schema()
    parts = [INTRO, *_part("The definition", schema)]
    for name, part in sorted(schema["$defs"].items()):
        parts += _part(_title(name), part)
    return "\n".join(parts)


def _part(title: str, part: Node) -> Iterator[str]:
    yield f"## {title}\n"
    if "description" in part:
        yield f"{part['description'].partition(RAISES)[0].strip()}\n"
    if not part.get("properties"):
        return
    yield "| field | value | default | |"
    yield "| --- | --- | --- | --- |"
    required = part.get("required", ())
    for name, node in part["properties"].items():
        default = "required" if name in required else _default(node)
        cells = (f"`{name}`", _values(node), default, node.get("description", ""))
        yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"
    yield ""


def _default(node: Node) -> str:
    """The value that a field has where it is left out; a part's own fields say theirs."""
    default = node.get("default")
    if isinstance(default, Mapping):
        return f"`{default['name']}`" if "name" in default else ""
    return "" if "const" in node or "default" not in node else f"`{json.dumps(default)}`"


def _values(node: Node) -> str:
    """What the node may be, in words."""
    match node:
        case {"$ref": str(reference)}:
            title = _title(reference.rpartition("/")[2])
            said = f"[{title}](#{title.lower().replace(' ', '-')})"
        case {"const": value}:
            said = f"`{value}`"
        case {"enum": list(values)}:
            said = ", ".join(f"`{value}`" for value in values)
        case {"anyOf": list(several)} | {"oneOf": list(several)}:
            said = ", or ".join(dict.fromkeys(map(_values, several)))
        case {"type": "array"}:
            said = f"list{_range(node, 'Items')}: {_values(node.get('items', {}))}"
        case {"type": "object", "additionalProperties": dict(values)}:
            said = f"mapping of names to {_values(values)}"
        case _:
            kind = str(node.get("type", "any value"))
            said = _KINDS.get(kind, kind) + _range(node, "imum")
    return said


def _range(node: Node, of: str) -> str:
    """The bounds, for example ", 1 to 30"."""
    low, high = node.get(f"min{of}"), node.get(f"max{of}")
    if low is not None and high is not None:
        return f", {low:,.15g} to {high:,.15g}"
    bounds = {
        "above": node.get("exclusiveMinimum"),
        "at least": low,
        "at most": high,
        "below": node.get("exclusiveMaximum"),
    }
    return "".join(f", {word} {bound:,.15g}" for word, bound in bounds.items() if bound is not None)


def _title(name: str) -> str:
    """The definition's name as words: "TpeSampler" is "Tpe sampler"."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return words[0].upper() + words[1:]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
