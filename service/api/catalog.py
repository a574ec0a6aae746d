"""What a study may be made from: the definition's JSON Schema and ready-made presets."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from search_spaces import definition_schema, load_preset, preset_names
from service.api.errors import documented
from service.api.models import Presets

router = APIRouter(tags=["catalog"])

PresetName = Annotated[str, Path(max_length=100, description="the preset's name", examples=["quickstart"])]


@router.get("/schema")
async def schema() -> dict[str, Any]:
    """The JSON Schema of a study definition, for editors and for clients in other languages."""
    return definition_schema()


@router.get("/presets")
def presets() -> Presets:
    """The names of the presets."""
    return Presets(presets=preset_names())


@router.get("/presets/{name}", responses=documented(404))
def preset(
    name: PresetName,
) -> dict[str, Any]:
    """A definition ready to be submitted, perhaps under another name."""
    return load_preset(name)
