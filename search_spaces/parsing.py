"""Reads a study definition from a mapping (JSON, YAML)."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from search_spaces.completion import completed, with_exact_starts
from search_spaces.definition import StudyDefinition
from search_spaces.problems import InvalidDefinition
from search_spaces.rules import COMPLETED_STAGES, broken_rules
from search_spaces.wording import follows_from_another, reworded


def parse_definition(data: Mapping[str, Any]) -> StudyDefinition:
    """The definition in `data`, with what it leaves unsaid (see `completed`).

    Raises InvalidDefinition with all problems of shape, or if there are none, all broken rules of one stage.
    """
    try:
        definition = completed(StudyDefinition.model_validate(data))
    except ValidationError as error:
        details = [detail for detail in error.errors(include_url=False) if not follows_from_another(detail)]
        raise InvalidDefinition(reworded(detail) for detail in details) from None
    problems = broken_rules(definition, COMPLETED_STAGES)
    if problems:
        raise InvalidDefinition(problems)
    return with_exact_starts(definition)
