"""Finds the study that a repeated `run` continues: an unfinished one of the same definition, or a new one."""

from collections.abc import Collection, Mapping
from typing import Any

from service.api.models import StudyDetail
from service.client import Client, Refused

CONFLICT = 409


def unfinished(client: Client, definition: Mapping[str, Any]) -> StudyDetail | None:
    """Return the newest unfinished study with this definition, whatever number its name ends in.

    `definition` is complete, as StudyDefinition serialises it.
    """
    for study in client.studies():
        if study.state in ("running", "paused") and _is_numbered(study.name, definition["name"]):
            detail = client.study(study.name)
            if {**detail.definition, "name": definition["name"]} == dict(definition):
                return detail
    return None


def submit_under_free_name(client: Client, definition: Mapping[str, Any]) -> str:
    """Submit the definition under the first free name of NAME, NAME-2, NAME-3, ...; returns the name."""
    taken = {study.name for study in client.studies()}
    while True:
        name = free_name(str(definition["name"]), taken)
        try:
            return client.submit({**definition, "name": name}).name
        except Refused as error:
            if error.status != CONFLICT:
                raise
            taken.add(name)  # somebody else has just taken it


def free_name(name: str, taken: Collection[str]) -> str:
    """`name` or the first of name-2, name-3, ... that is not taken."""
    if name not in taken:
        return name
    numbers = range(2, len(taken) + 3)
    return next(f"{name}-{number}" for number in numbers if f"{name}-{number}" not in taken)


def _is_numbered(name: str, base: str) -> bool:
    stem, dash, number = name.rpartition("-")
    return name == base or (bool(dash) and stem == base and number.isdecimal())
