"""Whether data sets that are missing may be fetched by this process."""

from workers.tasks.errors import DataUnavailable

_forbidden: list[bool] = []


class NotFetched(DataUnavailable):
    """A data set is missing, and this process fetches none."""


def forbid_fetching() -> None:
    """From now on a data set that is missing is `NotFetched`."""
    _forbidden[:] = [True]


def require_fetching(what: str, megabytes: int) -> None:
    """Return if missing data may be fetched; `what` is missing, and that much would be fetched.

    Raises:
        NotFetched: they may not.
    """
    if _forbidden:
        raise NotFetched(
            f"{what} is missing: it is fetched ({megabytes} MB) by the first trial of a worker that has a network, or "
            "now by the same command with --fetch"
        )
