"""The clock of a study, by which its wall time passes: it stands in a pause, and while no worker is alive."""

import sqlalchemy as sa

SILENT_S = 60  # s without a sign of life after which a worker counts as gone

# SQL for the time by the clock of all studies. A fleet that is gone is missed after so long only, so the clock never
# goes back; `catch_up` moves what was noted by it when a worker comes again.
NOW = (
    f"""(SELECT least(now(), max(coalesce(stopped_at, seen_at)) + interval '{SILENT_S} seconds') FROM fleet.workers)"""
)

# SQL for the time at which the clock of a study stands; NULL while it goes. The placeholder is the study's table.
STOOD_AT = f"""
    CASE WHEN {{0}}.finished_at IS NOT NULL THEN least({{0}}.finished_at, {{0}}.paused_at)
        WHEN {{0}}.paused_at IS NOT NULL THEN {{0}}.paused_at
        WHEN {NOW} < now() THEN {NOW} END
"""

# SQL for the start of a study that stood until this moment, such that the time between does not count.
GOES_ON = f"""
    started_at + greatest(interval '0', {NOW} - greatest(started_at, least(finished_at, paused_at)))
"""

_IS_BEHIND = sa.text(f"SELECT {NOW} < now()")
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('the clock of all studies', 0))")
_CATCH_UP = sa.text(
    f"""
    UPDATE fleet.studies SET started_at = started_at + behind.time, paused_at = paused_at + behind.time
    FROM (SELECT now() - {NOW} AS time) behind
    WHERE finished_at IS NULL AND (started_at IS NOT NULL OR paused_at IS NOT NULL) AND behind.time > interval '0'
    """
)


def catch_up(connection: sa.Connection) -> None:
    """Let the clock go on if no worker was alive; called before the sign of life of one, in its transaction."""
    if connection.execute(_IS_BEHIND).scalar_one():
        connection.execute(_ALONE)  # the next worker sees this one's sign of life
        connection.execute(_CATCH_UP)
