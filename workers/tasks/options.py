"""Reads `task.options`; refuses an option that a task does not define."""

from collections.abc import Collection, Sequence
from typing import TypeVar

from pernodedrop.near import did_you_mean
from search_spaces import TaskSpec
from search_spaces.task import MOST_WHOLE
from workers.tasks.errors import InvalidOptions

Default = TypeVar("Default", int, None)
LARGEST = MOST_WHOLE


def check_options(spec: TaskSpec, known: Collection[str]) -> None:
    """Raise InvalidOptions if the spec has an option that is not in `known`."""
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        remedy = did_you_mean(unknown[0], known, f"it has {', '.join(sorted(known)) or 'none'}")
        raise InvalidOptions(f"task.options.{unknown[0]} is unknown to {spec.name}: {remedy}")


def whole_option(spec: TaskSpec, name: str, *, default: Default, least: int, most: int = LARGEST) -> int | Default:
    """The option's whole number, or `default` where the study does not set it.

    Raises:
        InvalidOptions: another type, or a value outside [least, most].
    """
    if name not in spec.options:
        return default
    value = spec.options[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidOptions(f"task.options.{name} must be a whole number from {least} to {most}, got {value!r}")
    return value


def number_option(spec: TaskSpec, name: str, *, default: float, least: float, most: float) -> float:
    """The option's number, or `default` where the study does not set it.

    Raises:
        InvalidOptions: another type, or a value outside [least, most].
    """
    value = spec.options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise InvalidOptions(f"task.options.{name} must be a number from {least:g} to {most:g}, got {value!r}")
    return float(value)


def name_option(spec: TaskSpec, name: str, *, default: str, names: Sequence[str]) -> str:
    """The option's name, one of `names`, or `default` where the study does not set it.

    Raises:
        InvalidOptions: anything else.
    """
    value = spec.options.get(name, default)
    if value not in names:
        raise InvalidOptions(f"task.options.{name} of {spec.name} must be one of {', '.join(names)}, got {value!r}")
    return str(value)
