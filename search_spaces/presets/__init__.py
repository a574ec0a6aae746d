"""Studies ready to submit, one YAML file each."""

from importlib.resources import files
from typing import Any

from search_spaces.yaml_text import read_yaml


class UnknownPreset(LookupError):
    """There is no preset of that name."""


def preset_names() -> list[str]:
    """The names that `load_preset` takes, sorted."""
    names = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The preset as its YAML file says it, ready for `parse_definition`; raises UnknownPreset."""
    if name not in preset_names():
        raise UnknownPreset(f"there is no preset {name!r}: choose one of {', '.join(preset_names())}")
    text = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = read_yaml(text)
    return loaded
