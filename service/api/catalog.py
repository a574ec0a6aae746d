"""The definition's JSON Schema and the ready-made presets."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from pernodedrop.installation import installed_version
from search_spaces import definition_schema, load_preset, preset_names
from service.api.errors import documented
from service.api.models import Presets, Version

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
