"""Whether data sets that are missing may be fetched by this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from workers.tasks.errors import DataUnavailable

_forbidden = ContextVar("forbidden", default=False)


class NotFetched(DataUnavailable):
    """A data set is missing, and this process fetches none."""


@contextmanager
def no_fetching() -> Iterator[None]:
    """Inside, a data set that is missing is `NotFetched`."""
    before = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(before)


def require_fetching(what: str, megabytes: int) -> None:
    """Return if missing data may be fetched; `what` is missing, and that much would be fetched.

    Raises:
        NotFetched: they may not.
    """
    if _forbidden.get():
        raise NotFetched(
            f"{what} is missing: it is fetched ({megabytes} MB) by the first trial of a worker that has a network, or "
            "now by the same command with --fetch"
        )
