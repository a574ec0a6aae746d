"""What webhooks are told of. A trigger notes what happens to studies; what happens to nobody is noted here."""

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.runs.clock import SILENT_S
from service.storage.runs.expressions import WHOLE

MOST_NAMES = 1000  # waiting studies that are looked at


# A server that has just started has not heard of its workers yet.
_SILENCE = sa.text(
    f"""
    SELECT concat('workers/', coalesce(extract(epoch FROM (SELECT max(coalesce(stopped_at, seen_at))
        FROM fleet.workers WHERE study_id IS NULL))::text, 'never')) AS subject,
        array_agg(waiting.name) AS names
    FROM (
        SELECT s.name FROM fleet.studies s
        WHERE s.state = 'running' AND s.finished_at IS NULL AND NOT s.external AND {WHOLE}
            AND (s.closing IS NULL OR s.stage <> 'search')
            AND (s.to_come > 0
                OR EXISTS (SELECT FROM fleet.runs WHERE study_id = s.id AND state IN ('waiting', 'paused')))
        ORDER BY s.id LIMIT {MOST_NAMES}) waiting
    WHERE pg_postmaster_start_time() < now() - interval '{SILENT_S} seconds'
        AND NOT EXISTS (SELECT FROM fleet.workers WHERE study_id IS NULL AND stopped_at IS NULL
            AND seen_at > now() - interval '{SILENT_S} seconds')
    HAVING count(*) > 0
    """
)
_NOTE = sa.text(
    """
    SELECT fleet.note_webhook_event('no-worker', :subject, 1, 'evt_' || replace(gen_random_uuid()::text, '-', ''),
        NULL, cast(:names AS text[]), jsonb_build_object('studies', cast(:count AS int)))
    """
)


def is_silent(db: Database) -> bool:
    """Whether runs wait that workers of the fleet should train, and none of them is alive."""
    with db.engine.connect() as connection:
        return connection.execute(_SILENCE).one_or_none() is not None


def note_silence(db: Database) -> None:
    """Note that no worker is alive, if that is so, once until one has been alive again."""
    with db.engine.begin() as connection:
        silence = connection.execute(_SILENCE).one_or_none()
        if silence is not None:
            values = {"subject": silence.subject, "names": silence.names, "count": len(silence.names)}
            connection.execute(_NOTE, values)
