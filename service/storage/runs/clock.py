"""The clock of a study, by which its wall time passes: it stands in a pause, and while nobody alive could train its
runs: no worker, or of an own loop's study no asker."""

import sqlalchemy as sa

SILENT_S = 60  # s without a sign of life after which a worker counts as gone

_SEEN = f"""(SELECT least(now(), max(coalesce(stopped_at, seen_at)) + interval '{SILENT_S} seconds')
    FROM fleet.workers WHERE study_id {{}})"""

# SQL for the time by the clock of all studies that workers of the fleet serve. A fleet that is gone is missed after so
# long only, so the clock never goes back; `catch_up` moves what was noted by it when a worker comes again.
FLEET_NOW = _SEEN.format("IS NULL")

# SQL for the time by the clock of a study. The placeholder is its row.
NOW = f"CASE WHEN {{0}}.external THEN {_SEEN.format('= {0}.id')} ELSE {FLEET_NOW} END"

# SQL for the time at which the clock of a study stands; NULL while it goes. The placeholder is its row.
STOOD_AT = f"""
    CASE WHEN {{0}}.finished_at IS NOT NULL THEN least({{0}}.finished_at, {{0}}.paused_at)
        WHEN {{0}}.paused_at IS NOT NULL THEN {{0}}.paused_at
        WHEN {NOW} < now() THEN {NOW} END
"""

# SQL for the start of a study that stood until this moment, such that the time between does not count. The placeholder
# is its row.
GOES_ON = f"""
    {{0}}.started_at + greatest(interval '0', {NOW}
        - greatest({{0}}.started_at, least({{0}}.finished_at, {{0}}.paused_at)))
"""

_THEIRS = "IS NOT DISTINCT FROM cast(:study AS bigint)"
_IS_BEHIND = sa.text(f"SELECT {_SEEN.format(_THEIRS)} < now()")
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('the clock of all studies', 0))")
_CATCH_UP = sa.text(
    f"""
    UPDATE fleet.studies SET started_at = started_at + behind.time, paused_at = paused_at + behind.time
    FROM (SELECT now() - {_SEEN.format(_THEIRS)} AS time) behind
    WHERE finished_at IS NULL AND (started_at IS NOT NULL OR paused_at IS NOT NULL) AND behind.time > interval '0'
        AND CASE WHEN external THEN id END {_THEIRS}
    """
)


def catch_up(connection: sa.Connection, study_id: int | None = None) -> None:
    """Let the clock go on if nobody was alive; called before a sign of life, in its transaction.

    The clock is that of the study of this id, whose asker shows it, or of all that the fleet serves, of a worker.
    """
    study = {"study": study_id}
    if connection.execute(_IS_BEHIND, study).scalar_one():
        connection.execute(_ALONE)  # the next worker sees this one's sign of life
        connection.execute(_CATCH_UP, study)
