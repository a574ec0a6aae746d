"""Small definitions that the tests vary."""

from typing import Any

from search_spaces import StudyDefinition, parse_definition


def raw(**changes: Any) -> dict[str, Any]:
    """A valid study of a built-in task, with the given fields replaced; None removes one.

    It is of Dropout, where no field names a regularizer: a drop rate alone has no effect.
    """
    study = {
        "name": "study",
        "task": {"name": "digits", "epochs": 8},
        "search_space": {"drop_rate": {"type": "float", "low": 0.0, "high": 0.9}},
        "budget": {"trials": 10},
        **changes,
    }
    space = study["search_space"]
    if isinstance(space, dict) and "drop_rate" in space and not {"regularizer", "fixed"} & {*space, *changes}:
        study["fixed"] = {"regularizer": "dropout"}
    return {field: value for field, value in study.items() if value is not None}


def own(space: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A study of an own task, whose parameters may have any names."""
    return raw(task={"name": "package.module:Task"}, search_space=space, **changes)


def study(**changes: Any) -> StudyDefinition:
    return parse_definition(raw(**changes))


def categorical(*choices: Any, **more: Any) -> dict[str, Any]:
    return {"type": "categorical", "choices": list(choices), **more}


def real(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, **more}


def whole(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"type": "int", "low": low, "high": high, **more}


def space(**dimensions: Any) -> dict[str, Any]:
    """A definition that searches these dimensions."""
    return raw(search_space=dimensions)
