"""Rates and fractions as users give them."""

from typing import Any


def as_number(value: Any) -> float:
    """The value as a number of Python, for example of an array or tensor of one, which not every backend takes."""
    if isinstance(value, int | float):
        return value
    value = value.detach() if hasattr(value, "detach") else value
    return float(value.item() if hasattr(value, "item") else value)


def check_drop_rate(drop_rate: float) -> None:
    """Raises ValueError unless it is a number with 0 <= drop_rate < 1."""
    try:
        inside = bool(0.0 <= drop_rate < 1.0)
    except (TypeError, ValueError, RuntimeError):  # no number, or an array or tensor of several
        raise ValueError(f"drop_rate must be one number in [0, 1), got {drop_rate!r}") from None
    if not inside:
        raise ValueError(f"drop_rate must lie in [0, 1), got {drop_rate}")


def check_fraction(name: str, value: float) -> None:
    """Raises ValueError unless it is a number with 0 <= value <= 1."""
    try:
        inside = bool(0.0 <= value <= 1.0)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} must be one number in [0, 1], got {value!r}") from None
    if not inside:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
