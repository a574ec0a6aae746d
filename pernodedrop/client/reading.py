"""JSON as typed answers: dataclasses, read by their fields."""

from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pernodedrop.client.wire import Malformed

T = TypeVar("T")


def read(kind: type[T], data: Any) -> T:
    """The JSON as an object of the dataclass `kind`; fields that this release does not know are left out.

    Raises:
        Malformed: a field is missing, or has a value of another type.
    """
    result: T = _read(kind, data)
    return result


@cache
def field_types(kind: type[Any]) -> dict[str, Any]:
    """The types of a dataclass's fields by name."""
    return get_type_hints(kind)


def _read(kind: Any, data: Any) -> Any:
    if is_dataclass(kind):
        return _object(kind, data)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _one_of(get_args(kind), data)
    if origin is Literal:
        return data  # a later release may have a further state
    if origin is list and isinstance(data, list):
        [member] = get_args(kind)
        return [_read(member, one) for one in data]
    if origin is dict and isinstance(data, dict):
        member = get_args(kind)[1]
        return {key: _read(member, one) for key, one in data.items()}
    return _plain(kind, data)


def _object(kind: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise Malformed
    types, given = field_types(kind), {}
    for field in fields(kind):
        if field.name in data:
            given[field.name] = _read(types[field.name], data[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise Malformed
    return kind(**given)


def _one_of(kinds: tuple[Any, ...], data: Any) -> Any:
    for kind in kinds:
        try:
            return _read(kind, data)
        except Malformed:
            continue
    raise Malformed


def _plain(kind: Any, data: Any) -> Any:
    if kind is Any:
        return data
    if kind is float and type(data) in (int, float):
        return float(data)
    if kind is datetime and isinstance(data, str):
        try:
            return datetime.fromisoformat(data)
        except ValueError:
            raise Malformed from None
    if type(data) is kind:
        return data
    raise Malformed


def fits(kind: Any, data: Any) -> bool:
    """Whether the data are of this type; a literal must be one of its values."""
    if get_origin(kind) is Literal:
        return data in get_args(kind)
    try:
        _read(kind, data)
    except Malformed:
        return False
    return True
