"""The study definition."""

from typing import Self

from pydantic import model_validator

from search_spaces.keep import KEEP, Keep, kept_as
from search_spaces.problems import InvalidDefinition
from search_spaces.rules import broken_rules
from search_spaces.shape import StudyShape


class StudyDefinition(StudyShape):
    """A study definition describes a study; every rule has accepted it.

    Raises pydantic.ValidationError for a wrong shape and InvalidDefinition for a broken rule;
    `parse_definition` turns both into InvalidDefinition.
    """

    keep: Keep = kept_as(KEEP)

    @model_validator(mode="after")
    def _obeys_the_rules(self) -> Self:
        problems = broken_rules(self)
        if problems:
            raise InvalidDefinition(problems)
        return self
