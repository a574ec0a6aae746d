"""Times as people read them: points of time in UTC, and each says so; how long a run took.

Controllers, workers and readers are in different zones, and a log's lines are compared with a page's.
"""

from datetime import UTC, datetime


def to_second(at: datetime) -> str:
    """ "2026-11-28 20:11:09 UTC"."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def to_minute(at: datetime) -> str:
    """ "2026-11-28 20:11 UTC"."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day(at: datetime) -> str:
    """ "2026-11-28 UTC": near midnight a reader elsewhere has another date."""
    return f"{at.astimezone(UTC):%Y-%m-%d} UTC"


def near(at: datetime) -> str:
    """ "11-28 20:11 UTC", for a time that is some days away at most."""
    return f"{at.astimezone(UTC):%m-%d %H:%M} UTC"


def span(begin: datetime, end: datetime) -> str:
    """ "2026-11-28, 20:11:09 to 20:13:40 UTC", or to the minute where it ends on another day."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    if begin.date() == end.date():
        return f"{begin:%Y-%m-%d, %H:%M:%S} to {end:%H:%M:%S} UTC"
    return f"{to_minute(begin)} to {to_minute(end)}"


def part_with_a_worker(duration_s: float | None, spent_s: float) -> float | None:
    """The seconds for which workers held a run, where it also waited or was paused; None where they had it throughout.

    A run takes some moments from the end of a lease to the next one's begin without waiting for anybody.
    """
    return spent_s if duration_s is not None and 0 < spent_s < duration_s - 1.0 else None
