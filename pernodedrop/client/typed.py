"""A configuration as an object of somebody's own dataclass."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from pernodedrop.client.reading import field_types, fits

T = TypeVar("T")


def typed(kind: type[T], params: Mapping[str, Any]) -> T:
    """The parameters as a `kind`.

    Raises:
        TypeError: `kind` is no dataclass, or a field is missing, unknown or of another type.
    """
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} must be a dataclass")
    types = field_types(kind)
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}
    for name in params:
        if name not in types:
            raise TypeError(f"{kind.__name__} has no field {name}, which the study's space or its fixed values have")
    for name in sorted(needed - set(params)):
        raise TypeError(f"{kind.__name__}.{name} has no default, and neither the study's space nor its fixed values")
    for name, value in params.items():
        if not fits(types[name], value):
            raise TypeError(f"{kind.__name__}.{name} must be {_called(types[name])}, got {value!r}")
    return kind(**params)


def _called(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind)
