"""Broken rules of what was sent, in the words of a definition's errors."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from search_spaces.problems import Problem, shown
from search_spaces.wording import PATTERNS, RULES
from service.storage.access.bounds import MODULE_PATTERN, NAME_PATTERN
from service.storage.access.roles import ROLE_PATTERN, Role

WORDS = {
    **PATTERNS,
    NAME_PATTERN: "must have 1 to 64 letters, digits, ., _, @ and -, and start with a letter or digit",
    MODULE_PATTERN: "must be a module such as mylab.tasks",
    ROLE_PATTERN: f"must be {', '.join(Role)}",
}
# Of a request alone: a definition says these in other words, or cannot break them.
_RULES = {
    "bool_parsing": "must be true or false",
    "enum": "must be {expected}",
    "extra_forbidden": "is no field of this request",
    "float_parsing": "must be a number",
    "int_parsing": "must be a whole number",
    "list_type": "must be a list",
    "literal_error": "must be {expected}",
    **RULES,
}
Model = TypeVar("Model", bound=BaseModel)


def checked(model: type[Model], data: Mapping[str, Any]) -> Model:
    """The data as the model; raises RequestValidationError."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from None


def problems_of(error: RequestValidationError) -> list[Problem]:
    """pydantic's errors as problems."""
    return [reworded(problem) for problem in error.errors()]


def reworded(problem: Mapping[str, Any]) -> Problem:
    """One of pydantic's errors, in the words of a definition's errors where these have a rule for it."""
    at, kind = ".".join(map(str, problem["loc"])), problem["type"]
    pattern = problem.get("ctx", {}).get("pattern")
    if pattern in WORDS:
        return Problem(at, f"{at} {WORDS[pattern]}, got {shown(problem['input'])}")
    if kind not in _RULES:
        return Problem(at, f"{at}: {problem['msg']}")
    rule = _RULES[kind].format(**problem.get("ctx", {}))
    return Problem(at, f"{at} {rule}, got {shown(problem['input'])}")
