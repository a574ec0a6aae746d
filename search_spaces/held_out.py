"""The task option `held_out`: the classes that leave all splits, so that a model may meet them as strangers."""

import re
from collections.abc import Sequence
from typing import Any

from pernodedrop.near import did_you_mean

LEAST_CLASSES = 2


def names_in(value: Any) -> tuple[str, ...]:
    """The names in the option's value, a text in which spaces or commas separate them; none if it names nothing."""
    names = re.split(r"[\s,]+", str(value).strip(" ,"))
    return () if isinstance(value, bool | float) or names == [""] else tuple(dict.fromkeys(names))


def place_of(name: str, classes: Sequence[str]) -> int | None:
    """The number from 0 of the class of this name or number; None if there is none."""
    if name in classes:
        return classes.index(name)
    return int(name) if name.isdecimal() and int(name) < len(classes) else None


def held_out_refusal(value: Any, task: str, classes: Sequence[str]) -> str | None:
    """The rule that the option's value breaks for a task with these classes, or None."""
    names = names_in(value)
    if not names:
        return f'must name classes, such as "8 9", got {value!r}'
    for name in names:
        if place_of(name, classes) is None:
            all_of_them = f"{', '.join(classes[:3])}, ..., {classes[-1]}" if len(classes) > 20 else ", ".join(classes)
            remedy = did_you_mean(name, classes, f"it has {all_of_them}")
            return f"names {name!r}, which is no class of {task}: {remedy}"
    return count_refusal(len({place_of(name, classes) for name in names}), task, len(classes))


def count_refusal(held_out: int, task: str, classes: int) -> str | None:
    """The rule that so many held-out classes break, or None."""
    if not held_out or classes - held_out >= LEAST_CLASSES:
        return None
    rule = f"must leave at least {LEAST_CLASSES} classes of {task} to learn, got {held_out} of {classes}"
    return f"{rule}: hold out fewer"
