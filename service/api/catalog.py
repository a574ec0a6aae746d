"""The definition's JSON Schema, the ready-made presets, and what the text of a definition says."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from pernodedrop.installation import installed_version
from search_spaces import definition_schema, load_preset, preset_names
from search_spaces.problems import shown
from search_spaces.yaml_text import NotYaml, read_yaml
from service.api.errors import documented
from service.api.models import Presets, Version
from service.web.bodies import PARSING, bounded_body
from service.web.lanes import whose

router = APIRouter(tags=["catalog"])

PresetName = Annotated[str, Path(max_length=100, description="This is the preset's name.", examples=["quickstart"])]


@router.get("/schema")
async def schema() -> dict[str, Any]:
    """Return the JSON Schema of a study definition, for editors and for clients in other languages."""
    return definition_schema()


@router.get("/version")
async def version() -> Version:
    """Return the version of the controller's program."""
    return Version(version=installed_version())


TEXT = {
    "requestBody": {
        "required": True,
        "content": {"application/yaml": {"schema": {"type": "object"}, "example": "budget: {trials: 20}"}},
    }
}


@router.post("/definitions", responses=documented(400, 408, 413), openapi_extra=TEXT)
async def read(request: Request) -> dict[str, Any]:
    """Return a definition's text, YAML or JSON, as JSON: it means what it means in a file of the command line.

    Its rules are checked when it is submitted.
    """
    text = await bounded_body(request)
    return await PARSING.run(whose(request), lambda: _object(text))


def _object(text: bytes) -> dict[str, Any]:
    found = read_yaml(text)
    if not isinstance(found, dict):
        raise NotYaml(f"the definition must be an object, got {shown(found)}")
    return found


@router.get("/presets")
def presets() -> Presets:
    """List the names of the presets."""
    return Presets(presets=preset_names())


@router.get("/presets/{name}", responses=documented(404))
def preset(
    name: PresetName,
) -> dict[str, Any]:
    """Return a definition that can be submitted, perhaps under another name."""
    return load_preset(name)
