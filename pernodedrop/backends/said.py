"""Warnings that are given once a process."""

import warnings

_SAID: set[str] = set()


def say_once(message: str) -> None:
    """Warn, unless the same was said before: a layer would say it at every step."""
    if message in _SAID:
        return
    _SAID.add(message)
    warnings.warn(message, RuntimeWarning, stacklevel=2)
