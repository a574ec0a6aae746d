"""Pydantic's errors in the words of this package: the path, the rule, the value got."""

import re
from collections.abc import Callable, Mapping
from math import inf

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pernodedrop.near import did_you_mean, hint, nearest
from search_spaces.budget import Budget
from search_spaces.confirmation import Confirmation
from search_spaces.dimensions import CategoricalDimension, FloatDimension, IntDimension
from search_spaces.evaluation import Evaluation
from search_spaces.known import Known
from search_spaces.objective import METRIC_PATTERN, Objective
from search_spaces.parameters import WholeWithin, Within, text_hint
from search_spaces.part import by_name
from search_spaces.problems import Problem, listed, shown
from search_spaces.pruners import PRUNERS
from search_spaces.samplers import SAMPLERS
from search_spaces.scalars import LARGEST, PARAMETER_PATTERN, TEXT_PATTERN
from search_spaces.shape import DESCRIPTION_PATTERN, NAME_PATTERN, TAG_PATTERN, StudyShape
from search_spaces.task import TASK_PATTERN, TaskSpec

Location = tuple[int | str, ...]

PATTERNS = {
    PARAMETER_PATTERN: "must be a name of at most 64 letters, digits and _ that starts with no digit",
    NAME_PATTERN: "must have 1 to 63 of a-z, 0-9, ., _ and -, and start with a letter or digit",
    METRIC_PATTERN: 'must be "val_" or "train_" and the metric (the test split is never optimized)',
    TASK_PATTERN: "must be the name of a task or package.module:Class",
    TEXT_PATTERN: "must not contain control characters",
    DESCRIPTION_PATTERN: "must not contain NUL characters",
    TAG_PATTERN: "must have 1 to 40 letters, digits, ., _, :, / and -, and start with a letter or digit",
}


def flaw_of_name(text: str) -> str | None:
    """The rule that `text` breaks as a study's name, and `text`; None for a name."""
    return None if re.fullmatch(NAME_PATTERN, text) else f"{PATTERNS[NAME_PATTERN]}, got {shown(text)}"


# The rules by pydantic's type of error; the placeholders are pydantic's too.
RULES: Mapping[str, str] = {
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "mapping_type": "must be an object",
    "tuple_type": "must be a list",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "greater_than": "must be above {gt:.16g}",
    "greater_than_equal": "must be at least {ge:.16g}",
    "less_than": "must be below {lt:.16g}",
    "less_than_equal": "must be at most {le:.16g}",
}


DIMENSIONS: Mapping[str, type[BaseModel]] = {
    "float": FloatDimension,
    "int": IntDimension,
    "categorical": CategoricalDimension,
}
UNIONS: Mapping[str, tuple[str, Mapping[str, type[BaseModel]]]] = {
    "sampler": ("name", by_name(SAMPLERS)),
    "pruner": ("name", by_name(PRUNERS)),
    "search_space": ("type", DIMENSIONS),
}
TAGS = {(tag,) for _, members in UNIONS.values() for tag in members}
PARTS: Mapping[str, type[BaseModel]] = {
    "task": TaskSpec,
    "objectives": Objective,
    "budget": Budget,
    "confirmation": Confirmation,
    "evaluation": Evaluation,
    "start_with": Known,
}


def follows_from_another(error: ErrorDetails) -> bool:
    """Whether pydantic calls a list too short only because all of its entries are invalid."""
    return error["type"] == "too_short" and bool(error["input"])


def reworded(error: ErrorDetails) -> Problem:
    """One of pydantic's errors as a problem."""
    kind, value = error["type"], error["input"]
    if kind in SPECIAL:
        return SPECIAL[kind](error)
    return Problem.at(path_of(error["loc"]), f"{rule_of(error)}, got {shown(value)}{other_way(error)}")


def other_way(error: ErrorDetails) -> str:
    """The remedy where the field would take the number that stands in quotes, a word that is near, or an object."""
    if error["type"] in ("model_type", "model_attributes_type", "tuple_type"):
        return as_part(error)
    if error["type"] == "literal_error":
        return hint(error["input"], re.findall("'([^']*)'", error.get("ctx", {})["expected"]))
    if error["type"] not in ("float_type", "int_type"):
        return ""
    field = part_at(error["loc"]).model_fields.get(str(error["loc"][-1]))
    rules = [] if field is None else field.metadata
    bounds = {name: getattr(rule, name) for rule in rules for name in ("gt", "ge", "lt", "le") if hasattr(rule, name)}
    least, most = bounds.get("ge", -LARGEST), bounds.get("le", LARGEST)
    if error["type"] == "int_type":
        return text_hint(error["input"], WholeWithin(least, most))
    within = Within(above=bounds.get("gt", -inf), least=least, below=bounds.get("lt", inf), most=most)
    return text_hint(error["input"], within)


def as_part(error: ErrorDetails) -> str:
    """The remedy where a part of the definition is not written as one: often its name stands there alone."""
    if len(error["loc"]) != 1:
        return ""
    name, value = str(error["loc"][0]), error["input"]
    if name in UNIONS:
        known = UNIONS[name][1]
        meant = nearest(value, known)
        return f": write {{name: {meant}}}" if meant else f": write {{name: ...}} with {listed(known)}"
    if name == "task" and isinstance(value, str) and re.fullmatch(TASK_PATTERN, value):
        return f": write {{name: {value}}}"
    if name not in PARTS:
        return ""
    fields = ", ".join(PARTS[name].model_fields)
    return f": its entries have {fields}" if error["type"] == "tuple_type" else f": its fields are {fields}"


def rule_of(error: ErrorDetails) -> str:
    """The rule that the error breaks."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS[context["pattern"]]
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), chr(34))}"
    return RULES[kind].format(**context) if kind in RULES else error["msg"]


def missing(error: ErrorDetails) -> Problem:
    return Problem.at(path_of(error["loc"]), "is missing")


def unknown_field(error: ErrorDetails) -> Problem:
    """Name the field that was probably meant, or all of them."""
    location = error["loc"]
    known = part_at(location).model_fields
    remedy = did_you_mean(str(location[-1]), known, f"known are {', '.join(known)}")
    return Problem.at(path_of(location), f"is no known field: {remedy}")


def missing_tag(error: ErrorDetails) -> Problem:
    tag, members = UNIONS[str(error["loc"][0])]
    return Problem.at(f"{path_of(error['loc'])}.{tag}", f"is missing: choose {listed(members)}")


def unknown_tag(error: ErrorDetails) -> Problem:
    tag, members = UNIONS[str(error["loc"][0])]
    got = error["ctx"]["tag"]
    rule = f"must be {listed(members)}, got {shown(got)}{hint(got, members)}"
    return Problem.at(f"{path_of(error['loc'])}.{tag}", rule)


def too_many(error: ErrorDetails) -> Problem:
    return Problem.at(path_of(error["loc"]), f"must hold at most {error['ctx']['max_length']} entries, got more")


def too_few(error: ErrorDetails) -> Problem:
    return Problem.at(path_of(error["loc"]), f"must hold at least {error['ctx']['min_length']} entries, got none")


def key_of_no_text(error: ErrorDetails) -> Problem:
    return Problem.at(path_of(error["loc"][:-1]), f"must have text for its keys, got {shown(error['input'])}")


SPECIAL: Mapping[str, Callable[[ErrorDetails], Problem]] = {
    "missing": missing,
    "extra_forbidden": unknown_field,
    "union_tag_not_found": missing_tag,
    "union_tag_invalid": unknown_tag,
    "too_long": too_many,
    "too_short": too_few,
    "invalid_key": key_of_no_text,
}


def path_of(location: Location) -> str:
    """`search_space.drop_rate.choices[2]`, without the union tags that pydantic inserts."""
    parts = [part for part in without_tag(location) if part != "[key]"]
    return "".join(segment(part) for part in parts).lstrip(".") or "definition"


def segment(part: int | str) -> str:
    """One step of a path; a key that is no plain word is quoted, so that a message stays one line."""
    if isinstance(part, str) and re.fullmatch(r"[\w-]{1,64}", part):
        return f".{part}"
    return f"[{shown(part)}]"


def without_tag(location: Location) -> Location:
    position = tag_position(location)
    return location if position is None else location[:position] + location[position + 1 :]


def tag_position(location: Location) -> int | None:
    """The position of a union member's tag in the location, if it has one."""
    position = {"sampler": 1, "pruner": 1, "search_space": 2}.get(str(location[0])) if location else None
    return position if position is not None and location[position : position + 1] in TAGS else None


def part_at(location: Location) -> type[BaseModel]:
    """The part of the definition that the last step of the location was looked up in."""
    position = tag_position(location)
    if position is not None:
        return UNIONS[str(location[0])][1][str(location[position])]
    return PARTS.get(str(location[0]), StudyShape) if len(location) > 1 else StudyShape
