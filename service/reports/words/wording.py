"""Numbers, times and parameters as text for people."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.rounding import fixed, is_in_tenths
from service.times import to_minute

DIGITS = 4  # significant
MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value: float | None, digits: int = DIGITS) -> str:
    """The value to `digits` significant digits; integers, and what four digits leave of less than a million, in full;
    a dash where there is none.
    """
    if value is None or not math.isfinite(value):
        return DASH
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e6):
        return f"{int(value):,}".replace("-", MINUS)
    if digits >= DIGITS and is_in_tenths(value):
        return f"{value:,.1f}".replace("-", MINUS)  # 12345.1 and 12345.4 would both be 1.235e+04
    return f"{value:.{digits}g}".replace("-", MINUS)


def decimal(value: float | None, places: int) -> str:
    """The value to a fixed number of decimal places, so that a column of them lines up; see `fixed`."""
    if value is None or not math.isfinite(value):
        return DASH
    return fixed(value, places).replace("-", MINUS)


def places_for(values: Sequence[float]) -> int:
    """The decimal places at which the largest value shows about four significant digits; from 1 to 15."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    if largest == 0.0:
        return 1
    return min(15, max(1, 3 - math.floor(math.log10(largest))))


def duration(seconds: float | None) -> str:
    """ "45 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"."""
    if seconds is None:
        return DASH
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def size(count: float) -> str:
    """A number of bytes: "340 KB", "1.2 GB"."""
    for unit, power in (("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= power:
            return f"{count / power:.3g} {unit}"
    return f"{count:.0f} bytes"


def moment(time: datetime | None) -> str:
    """The time to the minute, in UTC."""
    return DASH if time is None else to_minute(time)


def setting(value: Any) -> str:
    """A parameter's value as text."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def settings(params: Mapping[str, Any], *, without: Sequence[str] = ()) -> str:
    """ "drop_rate 0.3, units 64"."""
    return ", ".join(f"{name} {setting(value)}" for name, value in params.items() if name not in without)


def plural(count: int, noun: str) -> str:
    """ "1 trial", "2 trials"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listing(words: Sequence[str]) -> str:
    """ "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
