"""Broken rules of what was sent, in the words of a definition's errors."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from search_spaces.problems import Problem, shown
from search_spaces.wording import PATTERNS, RULES

Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], data: Mapping[str, Any]) -> Model:
    """The data as the model; raises RequestValidationError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None


def problems_of(error: RequestValidationError) -> list[Problem]:
    """pydantic's errors as problems."""
    return [_in_our_words(problem) for problem in error.errors()]


def _in_our_words(problem: Mapping[str, Any]) -> Problem:
    """One of pydantic's errors, in the words of a definition's errors where these have a rule for it."""
    at, kind = ".".join(map(str, problem["loc"])), problem["type"]
    pattern = problem.get("ctx", {}).get("pattern")
    if pattern in PATTERNS:
        return Problem(at, f"{at} {PATTERNS[pattern]}, got {shown(problem['input'])}")
    if kind not in RULES:
        return Problem(at, f"{at}: {problem['msg']}")
    rule = RULES[kind].format(**problem.get("ctx", {}))
    return Problem(at, f"{at} {rule}, got {shown(problem['input'])}")
