"""What a log's record is about: the study, the run and the request that this thread, or this task, works on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Told = str | int | None
_about: ContextVar[dict[str, Told | Callable[[], Told]] | None] = ContextVar("about", default=None)


@contextmanager
def about(**facts: Told | Callable[[], Told]) -> Iterator[None]:
    """Let records of the `with` block have these facts; a function is asked when a record is written.

    A thread that is started here does not inherit them, unless it runs in a copy of the context.
    """
    token = _about.set({**(_about.get() or {}), **facts})
    try:
        yield
    finally:
        _about.reset(token)


def facts() -> dict[str, str | int]:
    """The facts that a record of now has; those that are None are left out."""
    told = {name: fact() if callable(fact) else fact for name, fact in (_about.get() or {}).items()}
    return {name: fact for name, fact in told.items() if fact is not None}
