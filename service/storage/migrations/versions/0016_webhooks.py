"""Webhooks, and the outbox of what they are told: a trigger writes it with the change that it tells of."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

SCHEMA = "fleet"

# Notes an event once for each occasion, and a delivery for each webhook that wants it. A study's row is locked by who
# changes it, so no two count the same occasion. The id of a study's event follows from the study and the occasion: a
# database that was set back to before it gives it the same id again.
_NOTE = r"""
    CREATE FUNCTION fleet.note_webhook_event(
        type text, subject text, occasion int, id text, study text, concerned text[], facts jsonb
    ) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fleet.webhook_events AS e (id, type, subject, occasion, study, facts)
        VALUES (id, type, subject, occasion, study, facts)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO fleet.webhook_deliveries (event_id, webhook_id)
            SELECT $4, w.id FROM fleet.webhooks w
            WHERE $1 = ANY (w.events) AND EXISTS (SELECT FROM unnest($6) AS name
                WHERE name LIKE replace(replace(replace(w.studies, '_', '\_'), '*', '%'), '?', '_'));
        END IF;
    END $$
"""
_STUDY = """
    CREATE FUNCTION fleet.note_study_event(study fleet.studies, type text, facts jsonb) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
        times int := 1 + (SELECT count(*) FROM fleet.webhook_events e WHERE e.type = $2 AND e.subject = ($1).id::text);
        words text := concat_ws('/', ($1).id, ($1).name, extract(epoch FROM ($1).created_at), $2, times);
    BEGIN
        PERFORM fleet.note_webhook_event($2, ($1).id::text, times,
            'evt_' || left(encode(sha256(convert_to(words, 'UTF8')), 'hex'), 32), ($1).name, ARRAY[($1).name], $3);
    END $$;
    CREATE FUNCTION fleet.tell_of_study() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE trials jsonb; is_complete boolean; why text;
    BEGIN
        IF NEW.decision IS NOT NULL AND NEW.decision IS DISTINCT FROM OLD.decision THEN
            PERFORM fleet.note_study_event(NEW, 'decided', jsonb_build_object(
                'outcome', NEW.decision->'outcome', 'seeds', NEW.decision->'seeds'));
        END IF;
        IF NEW.pause_reason IS NOT NULL AND OLD.pause_reason IS NULL THEN
            PERFORM fleet.note_study_event(NEW, 'paused', jsonb_build_object('reason', NEW.pause_reason));
        END IF;
        IF NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NEW.state <> 'stopped' THEN
            SELECT coalesce(sum(complete), 0) > 0, jsonb_build_object('complete', coalesce(sum(complete), 0),
                'pruned', coalesce(sum(pruned), 0), 'failed', coalesce(sum(failed), 0),
                'cancelled', coalesce(sum(cancelled), 0) + NEW.dropped)
            INTO is_complete, trials FROM fleet.run_counts WHERE study_id = NEW.id AND stage = 'search';
            IF is_complete THEN
                PERFORM fleet.note_study_event(NEW, 'complete', jsonb_build_object('trials', trials));
            ELSE
                why := coalesce((SELECT reason FROM fleet.runs
                    WHERE study_id = NEW.id AND stage = 'search' AND state IN ('complete', 'pruned', 'failed')
                        AND state = 'failed'
                    ORDER BY finished_at DESC, id DESC LIMIT 1), NEW.closing);
                PERFORM fleet.note_study_event(NEW, 'failed',
                    jsonb_build_object('trials', trials, 'reason', why));
            END IF;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER webhook_events AFTER UPDATE OF finished_at, decision, pause_reason ON fleet.studies FOR EACH ROW
        WHEN (NEW.finished_at IS DISTINCT FROM OLD.finished_at OR NEW.decision IS DISTINCT FROM OLD.decision
            OR NEW.pause_reason IS DISTINCT FROM OLD.pause_reason)
        EXECUTE FUNCTION fleet.tell_of_study()
"""


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("events", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("studies", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("created_at", instant, nullable=False, server_default=sa.func.now()),
        schema=SCHEMA,
    )
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("occasion", sa.Integer, nullable=False),
        sa.Column("study", sa.Text),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("at", instant, nullable=False, server_default=sa.func.now()),
        sa.UniqueConstraint("type", "subject", "occasion", name="webhook_events_once"),
        schema=SCHEMA,
    )
    event = sa.ForeignKey(f"{SCHEMA}.webhook_events.id", ondelete="CASCADE")
    webhook = sa.ForeignKey(f"{SCHEMA}.webhooks.id", ondelete="CASCADE")
    op.create_table(
        "webhook_deliveries",
        sa.Column("webhook_id", sa.BigInteger, webhook, primary_key=True),
        sa.Column("event_id", sa.Text, event, primary_key=True),
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("takes", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("lease_until", instant),
        sa.Column("tried_at", instant),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        schema=SCHEMA,
    )
    waits = sa.text("state = 'waiting'")
    op.create_index(
        "webhook_deliveries_waiting",
        "webhook_deliveries",
        ["webhook_id", "next_at"],
        schema=SCHEMA,
        postgresql_where=waits,
    )
    op.create_index("webhook_deliveries_event", "webhook_deliveries", ["event_id"], schema=SCHEMA)
    op.execute(_NOTE)
    op.execute(_STUDY)
