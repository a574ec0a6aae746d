"""Webhooks: registered, listed, tested, removed."""

import base64
import re
import secrets
from collections.abc import Sequence

import sqlalchemy as sa

from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.database.webhook_tables import webhooks
from service.storage.errors import UnknownWebhook, WebhookRefused
from service.storage.webhooks.kinds import Event
from service.storage.webhooks.records import Delivery, Webhook

MOST = 100  # webhooks
EVERY_STUDY = "*"
SECRET_BYTES = 32
PATTERN = r"^[a-z0-9._*?-]{1,63}$"  # of names of studies

_LIST = sa.text(
    """
    SELECT w.id, w.url, w.events, w.studies, w.created_at, counts.*, last.*
    FROM fleet.webhooks w
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
            count(*) FILTER (WHERE state = 'delivered') AS delivered, count(*) FILTER (WHERE state = 'dead') AS dead
        FROM fleet.webhook_deliveries WHERE webhook_id = w.id) counts
    LEFT JOIN LATERAL (
        SELECT e.id AS event_id, e.type, e.study, e.at, d.state, d.tries, d.status, d.error, d.tried_at, d.next_at
        FROM fleet.webhook_deliveries d JOIN fleet.webhook_events e ON e.id = d.event_id
        WHERE d.webhook_id = w.id ORDER BY d.tried_at DESC NULLS LAST, e.at DESC, e.id LIMIT 1) last ON true
    ORDER BY w.id
    """
)
_ONE = sa.text(
    """
    SELECT e.id AS event_id, e.type, e.study, e.at, d.state, d.tries, d.status, d.error, d.tried_at, d.next_at
    FROM fleet.webhook_deliveries d JOIN fleet.webhook_events e ON e.id = d.event_id
    WHERE d.webhook_id = :webhook AND e.id = :event
    """
)
_TEST = sa.text(
    """
    WITH event AS (
        INSERT INTO fleet.webhook_events (id, type, subject, occasion, facts)
        SELECT 'evt_' || replace(gen_random_uuid()::text, '-', ''), 'test', gen_random_uuid()::text, 1, '{}'
        FROM fleet.webhooks WHERE id = :webhook RETURNING id)
    INSERT INTO fleet.webhook_deliveries (event_id, webhook_id) SELECT id, :webhook FROM event RETURNING event_id
    """
)
_RETRY = sa.text(
    """
    UPDATE fleet.webhook_deliveries SET state = 'waiting', tries = 0, next_at = now(), lease_until = NULL
    WHERE webhook_id = :webhook AND state = 'dead'
    """
)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('the number of webhooks', 0))")


def add(db: Database, url: str, events: Sequence[Event], studies: str = EVERY_STUDY) -> tuple[Webhook, str]:
    """Register the address for the events of the studies of these names, and return it with its secret.

    Nobody reads the secret here again but who signs.

    Raises:
        WebhookRefused: the names have another letter than those of studies and * and ?, or there are too many webhooks.
    """
    if not re.fullmatch(PATTERN, studies):
        raise WebhookRefused(
            f"studies must be at most 63 of a-z, 0-9, ., _, -, * for any letters and ? for one, got {studies!r}"
        )
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()
    chosen = [event.value for event in Event if event in events]
    with db.engine.begin() as connection:
        connection.execute(_LOCK)
        if connection.execute(sa.select(sa.func.count()).select_from(webhooks)).scalar_one() >= MOST:
            raise WebhookRefused(f"there are {MOST} webhooks, and no more are allowed: remove one first")
        row = webhooks.insert().values(url=url, events=chosen, studies=studies, secret=secret)
        made = connection.execute(row.returning(webhooks.c.id, webhooks.c.created_at)).one()
        ordered.note(connection, None)
    return Webhook(made.id, url, tuple(chosen), studies, made.created_at, 0, 0, 0, None), secret


def every(db: Database) -> list[Webhook]:
    """All webhooks, the oldest first."""
    with db.engine.connect() as connection:
        return [
            Webhook(
                *(row.id, row.url, tuple(row.events), row.studies, row.created_at),
                *(row.waiting, row.delivered, row.dead),
                last=None if row.event_id is None else _delivery(row),
            )
            for row in connection.execute(_LIST)
        ]


def delivery(db: Database, webhook: int, event: str) -> Delivery:
    """What the webhook was told of the event. Raises UnknownWebhook where it is not told of it."""
    with db.engine.connect() as connection:
        row = connection.execute(_ONE, {"webhook": webhook, "event": event}).one_or_none()
    if row is None:
        raise UnknownWebhook(webhook)
    return _delivery(row)


def remove(db: Database, webhook: int) -> None:
    """Remove the webhook with its deliveries; one that is under way is not called back. Raises UnknownWebhook."""
    with db.engine.begin() as connection:
        if connection.execute(webhooks.delete().where(webhooks.c.id == webhook)).rowcount == 0:
            raise UnknownWebhook(webhook)
        ordered.note(connection, None)


def test(db: Database, webhook: int) -> Delivery:
    """Let the webhook be told of a test, once; raises UnknownWebhook."""
    with db.engine.begin() as connection:
        event = connection.execute(_TEST, {"webhook": webhook}).scalar_one_or_none()
        if event is None:
            raise UnknownWebhook(webhook)
        ordered.note(connection, None)
    return delivery(db, webhook, event)


def retry(db: Database, webhook: int) -> int:
    """Let the webhook's dead deliveries be tried anew, and return how many; raises UnknownWebhook."""
    with db.engine.begin() as connection:
        if connection.execute(sa.select(webhooks.c.id).where(webhooks.c.id == webhook)).one_or_none() is None:
            raise UnknownWebhook(webhook)
        waiting = connection.execute(_RETRY, {"webhook": webhook}).rowcount
        if waiting:
            ordered.note(connection, None)
        return waiting


def _delivery(row: sa.Row[tuple[object, ...]]) -> Delivery:
    said = row._mapping
    return Delivery(
        *(said["event_id"], said["type"], said["study"], said["state"], said["tries"]),
        *(said["status"], said["error"], said["at"], said["tried_at"], said["next_at"]),
    )
