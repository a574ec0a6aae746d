"""Reads a study definition from a mapping (JSON, YAML)."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from search_spaces.completion import completed, with_exact_starts
from search_spaces.definition import StudyDefinition
from search_spaces.problems import InvalidDefinition
from search_spaces.rules import COMPLETED_STAGES, broken_rules
from search_spaces.shape import StudyShape
from search_spaces.wording import follows_from_another, reworded

Shape = TypeVar("Shape", bound=StudyShape)


def parse_definition(data: Mapping[str, Any]) -> StudyDefinition:
    """The definition in `data`, with what it leaves unsaid (see `completed`).

    Raises InvalidDefinition with all problems of shape, or if there are none, all broken rules of one stage.
    """
    definition = completed(_shaped(StudyDefinition, data))
    problems = broken_rules(definition, COMPLETED_STAGES)
    if problems:
        raise InvalidDefinition(problems)
    return with_exact_starts(definition)


def parse_shape(data: Mapping[str, Any]) -> StudyShape:
    """The definition in `data` as it is, of a study that exists: today's rules do not judge what has begun.

    Raises InvalidDefinition with all problems of shape.
    """
    return _shaped(StudyShape, data)


def _shaped(kind: type[Shape], data: Mapping[str, Any]) -> Shape:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        details = [detail for detail in error.errors(include_url=False) if not follows_from_another(detail)]
        raise InvalidDefinition(reworded(detail) for detail in details) from None
