"""Studies ready to submit, one YAML file each."""

from importlib.resources import files
from typing import Any

from pernodedrop.near import LONGEST, did_you_mean
from search_spaces.yaml_text import read_yaml

FOR_EDITORS = "# yaml-language-server:"  # names the schema beside the file


class UnknownPreset(LookupError):
    """There is no preset of that name."""


def preset_names() -> list[str]:
    """The names that `load_preset` takes, sorted."""
    names = (entry.name for entry in files(__name__).iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The preset as its YAML file says it, ready for `parse_definition`; raises UnknownPreset."""
    loaded: dict[str, Any] = read_yaml(preset_text(name))
    return loaded


def preset_text(name: str) -> str:
    """The preset's YAML with its comments, as a start for a definition of one's own; raises UnknownPreset."""
    if name not in preset_names():
        names = preset_names()
        remedy = did_you_mean(name, names, f"choose one of {', '.join(names)}")
        raise UnknownPreset(f"there is no preset {name[:LONGEST]!r}: {remedy}")
    lines = files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(FOR_EDITORS))
