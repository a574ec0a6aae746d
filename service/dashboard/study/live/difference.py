"""What an open page knows of a study is a mapping of names to values; a change is what makes the next of the last."""

from collections.abc import Mapping
from typing import Any

State = Mapping[str, Any]  # values are JSON; those of names that begin with GROWING are lists, which grow at their end
GROWING = "curve:"

Change = dict[str, Any]  # "set": values by name, "more": what lists have gained by name, "gone": names


def difference(old: State, new: State) -> Change:
    """Return the change from the old state to the new one; {} where they are equal."""
    put: dict[str, Any] = {}
    more: dict[str, Any] = {}
    for name, value in new.items():
        if name not in old:
            put[name] = value
        elif old[name] is not value and old[name] != value:
            gained = _gained(old[name], value) if name.startswith(GROWING) else None
            if gained is None:
                put[name] = value
            else:
                more[name] = gained
    gone = [name for name in old if name not in new]
    return {kind: what for kind, what in (("set", put), ("more", more), ("gone", gone)) if what}


def changed(old: State, change: Change) -> dict[str, Any]:
    """Return the state after the change, as the page works it out."""
    new = {name: value for name, value in old.items() if name not in change.get("gone", ())}
    new.update(change.get("set", {}))
    for name, gained in change.get("more", {}).items():
        new[name] = [*new[name], *gained]
    return new


def _gained(old: list[Any], new: list[Any]) -> list[Any] | None:
    """What the new list has more than the old one; None where it does not begin with it."""
    return new[len(old) :] if len(new) > len(old) and new[: len(old)] == old else None
