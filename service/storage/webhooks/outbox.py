"""The outbox: deliveries are taken with a lease, sent by whoever took them, and noted; or taken again."""

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.states import storable
from service.storage.webhooks.records import Message

KEPT_DAYS = 30  # for which deliveries that have ended can be read

# One of each webhook that is not being told of anything: a slow receiver holds up itself alone.
_TAKE = sa.text(
    """
    UPDATE fleet.webhook_deliveries d
    SET lease_until = now() + make_interval(secs => :seconds), takes = takes + 1, tries = tries + 1, tried_at = now()
    FROM (
        SELECT w.id, w.url, w.secret, first.event_id FROM fleet.webhooks w CROSS JOIN LATERAL (
            SELECT event_id, next_at FROM fleet.webhook_deliveries
            WHERE webhook_id = w.id AND state = 'waiting' AND next_at <= now()
                AND (lease_until IS NULL OR lease_until <= now())
            ORDER BY next_at, event_id LIMIT 1 FOR UPDATE SKIP LOCKED) first
        WHERE NOT EXISTS (SELECT FROM fleet.webhook_deliveries
            WHERE webhook_id = w.id AND state = 'waiting' AND lease_until > now())
        ORDER BY first.next_at LIMIT :most) due, fleet.webhook_events e
    WHERE d.webhook_id = due.id AND d.event_id = due.event_id AND e.id = d.event_id
    RETURNING due.id, due.url, due.secret, e.id AS event_id, e.type, e.study, e.facts, e.at, d.takes, d.tries
    """
)
_NOTE = sa.text(
    """
    UPDATE fleet.webhook_deliveries SET lease_until = NULL, status = :status, error = :error, state = :state,
        next_at = now() + make_interval(secs => :wait)
    WHERE webhook_id = :webhook AND event_id = :event AND takes = :take AND state = 'waiting'
    """
)
_FORGET = (
    sa.text(
        f"""
        DELETE FROM fleet.webhook_deliveries
        WHERE state <> 'waiting' AND tried_at < now() - interval '{KEPT_DAYS} days'
        """
    ),
    # Those of studies that are there are kept: they count the occasions.
    sa.text(
        f"""
        DELETE FROM fleet.webhook_events e WHERE at < now() - interval '{KEPT_DAYS} days'
            AND NOT EXISTS (SELECT FROM fleet.webhook_deliveries WHERE event_id = e.id)
            AND NOT EXISTS (SELECT FROM fleet.studies WHERE id::text = e.subject)
        """
    ),
)


def take(db: Database, most: int, seconds: float) -> list[Message]:
    """Take at most so many deliveries that are due, one of each webhook, with a lease of so many seconds.

    Whoever does not note one within that time leaves it to the next taker.
    """
    with db.engine.begin() as connection:
        taken = connection.execute(_TAKE, {"most": most, "seconds": seconds}).all()
    return [
        Message(
            *(row.id, row.url, row.secret, row.event_id, row.type, row.study, row.facts, row.at, row.takes, row.tries)
        )
        for row in taken
    ]


def note_delivered(db: Database, message: Message, status: int) -> None:
    """Note that the receiver has taken it."""
    _note(db, message, state="delivered", status=status, error=None, wait=0.0)


def note_failed(db: Database, message: Message, status: int | None, error: str, wait: float | None) -> None:
    """Note that it was not taken: it is tried again after `wait` seconds, or where that is None, never."""
    state = "dead" if wait is None else "waiting"
    _note(db, message, state=state, status=status, error=storable(error), wait=wait or 0.0)


def forget(db: Database) -> None:
    """Remove what ended long ago."""
    for statement in _FORGET:
        with db.engine.begin() as connection:
            connection.execute(statement)


def _note(db: Database, message: Message, **said: str | int | float | None) -> None:
    whose = {"webhook": message.webhook_id, "event": message.id, "take": message.take}
    with db.engine.begin() as connection:
        connection.execute(_NOTE, {**said, **whose})
