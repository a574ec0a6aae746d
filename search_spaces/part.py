"""The base of every part of a definition, and helpers for the parts that a name tells apart."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Part(BaseModel):
    """Part of a definition: frozen, without unknown fields, and strict, so "3" is no number and true is not 1.

    A whole number may be written as 10.0 or 1e1, as in JSON, whose schema takes both.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _has_whole_numbers(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: cls._whole(name, value) for name, value in data.items()}

    @classmethod
    def _whole(cls, name: Any, value: Any) -> Any:
        field = cls.model_fields.get(name)
        if field is None or not isinstance(value, float | list):
            return value
        if isinstance(value, float):
            return _as_int(value) if field.annotation in (int, int | None) else value
        return [_as_int(each) for each in value] if _is_list_of_int(field.annotation) else value


def _as_int(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_list_of_int(kind: Any) -> bool:
    """Whether the type is list[int], with bounds or without, or that or None."""
    if get_origin(kind) is list:
        (element,) = get_args(kind)
        return element is int or (get_origin(element) is Annotated and get_args(element)[0] is int)
    return any(_is_list_of_int(each) for each in get_args(kind))


P = TypeVar("P", bound=Part)


def one_of(parts: Sequence[type[Part]]) -> Any:
    """The type of a field that holds one of the parts, which their `name` tells apart."""
    return Annotated[Union[tuple(parts)], Field(discriminator="name")]  # noqa: UP007 (of a list)


def by_name(parts: Iterable[type[P]]) -> dict[str, type[P]]:
    """The parts by the name that a definition gives them."""
    return {part.model_fields["name"].default: part for part in parts}


def must_say(part: type[Part], *facts: str) -> None:
    """Check that a part with a name has these class variables and every abstract method of its base.

    Raises:
        TypeError: something is missing.
    """
    missing = [fact for fact in facts if not hasattr(part, fact)] + sorted(part.__abstractmethods__)
    if missing and not part.model_fields["name"].is_required():
        raise TypeError(f"{part.__name__} must say {', '.join(missing)}: see {part.__bases__[0].__name__}")
