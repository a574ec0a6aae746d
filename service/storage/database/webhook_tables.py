"""The tables of who is told of what has happened, beside those of `tables`, in the same schema."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from service.storage.database.tables import metadata

_Instant = sa.DateTime(timezone=True)

# Addresses that are told of events, and the secrets by which they know us: signing takes them as they are.
webhooks = sa.Table(
    "webhooks",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("events", sa.ARRAY(sa.Text), nullable=False),  # service.storage.webhooks.events.Event
    sa.Column("studies", sa.Text, nullable=False),  # their names, with * and ?
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("created_at", _Instant, nullable=False, server_default=sa.func.now()),
)

# What has happened, once for each occasion: a trigger writes it in the transaction that changes the study.
webhook_events = sa.Table(
    "webhook_events",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),  # of every delivery: a receiver knows a repetition by it
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),  # a study's id, or the workers' last sign of life
    sa.Column("occasion", sa.Integer, nullable=False),  # from 1: a study may end, be extended and end again
    sa.Column("study", sa.Text),  # its name
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.UniqueConstraint("type", "subject", "occasion", name="webhook_events_once"),
)

# The outbox: a row for each event and each webhook that is told of it.
webhook_deliveries = sa.Table(
    "webhook_deliveries",
    metadata,
    sa.Column("webhook_id", sa.BigInteger, sa.ForeignKey(webhooks.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("event_id", sa.Text, sa.ForeignKey(webhook_events.c.id, ondelete="CASCADE"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),  # waiting, delivered, dead
    sa.Column("takes", sa.Integer, nullable=False, server_default="0"),  # by controllers; the last one notes its end
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),  # since it was made or tried anew by hand
    sa.Column("next_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("lease_until", _Instant),  # of the controller that sends it
    sa.Column("tried_at", _Instant),
    sa.Column("status", sa.Integer),  # of the last answer
    sa.Column("error", sa.Text),
    sa.Index("webhook_deliveries_waiting", "webhook_id", "next_at", postgresql_where=sa.text("state = 'waiting'")),
    sa.Index("webhook_deliveries_event", "event_id"),
)
