"""Finds the study that a repeated `run` continues: an unfinished one of the same definition, or a new one."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from search_spaces import InvalidDefinition, parse_definition
from search_spaces.keep import KEEP, KEPT_BEFORE
from service.api.models import StudyDetail
from service.client import Client, Refused

CONFLICT = 409
LONGEST_NAME = 63  # characters, as NAME_PATTERN has it


def unfinished(client: Client, definition: Mapping[str, Any], *, names_search: bool = True) -> StudyDetail | None:
    """Return the newest unfinished study with this definition, whatever number its name ends in.

    `definition` is complete, as StudyDefinition serialises it. An earlier release left unsaid what a later one
    completes, and its studies are read as free searches. So where the user does not name the search, a study without
    an equal is one that would be this definition if it were submitted today. Studies of earlier releases keep no
    weights, and one that does not differ otherwise is continued so.
    """
    named = [
        client.study(study.name)
        for study in client.studies()
        if study.state in ("running", "paused") and _is_numbered(study.name, definition["name"])
    ]
    for wanted in _as_begun(definition):
        equal = (each for each in named if {**each.definition, "name": definition["name"]} == wanted)
        found = next(equal, None)
        if found is None and not names_search:
            found = next((each for each in named if _submitted_today(each.definition, wanted)), None)
        if found is not None:
            return found
    return None


def _as_begun(definition: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The definition, then as an earlier release began it, which could not keep weights."""
    yield dict(definition)
    if definition["keep"] == KEEP:
        yield {**definition, "keep": KEPT_BEFORE}


def _submitted_today(stored: Mapping[str, Any], definition: Mapping[str, Any]) -> bool:
    """Whether a stored free search would be this definition without its word on the search."""
    if stored["search"] != "free":
        return False
    unsaid = {field: value for field, value in stored.items() if field != "search"}
    try:
        completed = parse_definition({**unsaid, "name": definition["name"]})
    except InvalidDefinition:  # of a rule that is younger than the study
        return False
    return completed.model_dump(mode="json") == dict(definition)


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
    """`name` or the first of name-2, name-3, ... that is not taken; a long name is cut for its number."""
    if name not in taken:
        return name
    numbered = (_numbered(name, str(number)) for number in range(2, len(taken) + 3))
    return next(each for each in numbered if each not in taken)


def _numbered(name: str, number: str) -> str:
    """`name-number`, of which the name is cut where the whole would be too long for a study's name."""
    return f"{name[: LONGEST_NAME - len(number) - 1]}-{number}"


def _is_numbered(name: str, base: str) -> bool:
    number = name.rpartition("-")[2]
    return name == base or (number.isdecimal() and name == _numbered(base, number))
