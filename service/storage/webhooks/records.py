"""Webhooks and deliveries as they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Delivery:
    """What a webhook is told of one event, and how that went."""

    id: str  # of the event: the same in every try
    type: str
    study: str | None
    state: str  # waiting, delivered, dead
    tries: int
    status: int | None  # of the last answer
    error: str | None  # of the last try
    at: datetime  # of the event
    tried_at: datetime | None
    next_at: datetime


@dataclass(frozen=True)
class Webhook:
    """An address that is told of events; its secret is read by who signs alone."""

    id: int
    url: str
    events: tuple[str, ...]
    studies: str  # the names of its studies, with * and ?
    created_at: datetime
    waiting: int  # deliveries
    delivered: int
    dead: int
    last: Delivery | None  # the one that was tried last, else the newest


@dataclass(frozen=True)
class Message:
    """A delivery that this process sends: it has a lease on it until it notes how that went."""

    webhook_id: int
    url: str
    secret: str
    id: str
    type: str
    study: str | None
    facts: Mapping[str, Any]
    at: datetime
    take: int  # how often it was taken: the last one who took it notes its end
    tries: int  # this one included, from 1
