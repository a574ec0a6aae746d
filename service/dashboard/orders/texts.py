"""The text that the page of a submission begins with: a preset, or the definition of a study, under a free name."""

import io
import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from search_spaces.completion import without_implied_trials
from search_spaces.presets import preset_text
from search_spaces.yaml_text import LONGEST_YAML, MOST_WRITTEN
from service.storage.database.database import Database
from service.storage.studies import names, studies

LONGEST_NAME = 63  # characters
_NAME = re.compile(r"^name: *\S+", re.MULTILINE)
WIDTH = 110  # characters in a line


def of_preset(database: Database | None, name: str) -> str:
    """The preset's text, under a name that is free in the database; raises UnknownPreset."""
    text = preset_text(name)
    wanted = name if database is None else free_name(database, name)
    return _NAME.sub(f"name: {wanted}", text, count=1)


def of_study(database: Database, name: str) -> str:
    """The definition of the study as text, under a name that is free; raises UnknownStudy.

    It is JSON where YAML could not be read again.
    """
    stored = without_implied_trials(studies.get(database, name).definition)
    definition = stored.model_dump(mode="json", exclude_none=True)
    data = {**definition, "name": free_name(database, name)}
    text = "" if _values_in(data) > MOST_WRITTEN else written(data)
    return text if 0 < len(text) <= LONGEST_YAML else json.dumps(data, indent=2)


def free_name(database: Database, name: str) -> str:
    """The name, or the first of name-2, name-3, ... that no study has."""
    begun = re.sub(r"-\d{1,6}$", "", name) or name
    taken = names.beginning(database, begun[: LONGEST_NAME - 8])
    if name not in taken:
        return name
    return next(
        candidate
        for number in range(2, len(taken) + 3)
        if (candidate := f"{begun[: LONGEST_NAME - 7]}-{number}") not in taken
    )


def written(data: dict[str, Any]) -> str:
    """The data as YAML whose outer levels have lines of their own."""
    yaml, stream = YAML(), io.StringIO()
    yaml.width = WIDTH
    yaml.dump(_styled(data, 0), stream)
    return stream.getvalue()


def _values_in(data: Any) -> int:
    """How many values and keys YAML of it has."""
    if isinstance(data, dict):
        return 1 + len(data) + sum(map(_values_in, data.values()))
    return 1 + sum(map(_values_in, data)) if isinstance(data, list) else 1


def _styled(value: Any, level: int) -> Any:
    """The value in ruamel's containers: an object on a line where it holds scalars alone."""
    if isinstance(value, dict):
        of = CommentedMap((key, _styled(each, level + 1)) for key, each in value.items())
        is_flat = not any(isinstance(each, dict) for each in value.values())
        if level > 0 and is_flat:
            of.fa.set_flow_style()
        return of
    if isinstance(value, list):
        several = CommentedSeq(_styled(each, level + 1) for each in value)
        several.fa.set_flow_style()
        return several
    return value
