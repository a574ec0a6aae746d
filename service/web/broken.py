"""Broken rules of what was sent, in the words of a definition's errors."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError

from search_spaces.problems import Problem, shown
from search_spaces.wording import PATTERNS, RULES


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
