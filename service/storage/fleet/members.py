"""The workers with what each of them does, and the slots that they hold on GPUs: what the fleet's page shows."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.fleet.workers import memory_of
from service.storage.records import DeviceMemory
from service.storage.runs.clock import SILENT_S
from service.storage.states import Stage

MOST = 1000  # workers that are listed
MISSED_S = 3600  # s for which a worker that went without a word is listed as silent


@dataclass(frozen=True, slots=True)
class Training:
    """A run that a worker holds."""

    study: str
    stage: Stage
    trial: int | None  # of the search; None before it has begun, and in a confirmation
    epoch: int  # over all repeats
    epochs: int  # in all
    since: datetime  # it has held the run
    device: str | None  # as its trial process names it; None before that


@dataclass(frozen=True, slots=True)
class Member:
    """A worker of the fleet, or the asker of an own loop."""

    id: str
    host: str
    pid: int
    device: str
    started_at: datetime
    silent_s: float  # since its last sign of life
    is_leaving: bool  # it was asked to
    is_silent: bool  # it went without a word, or cannot be heard
    serves: str | None  # the study whose own loop it asks for
    training: Training | None
    memory: DeviceMemory | None  # said with its last sign of life


@dataclass(frozen=True, slots=True)
class HeldSlots:
    """Slots on one GPU, held by workers of one host."""

    host: str
    device: str  # the GPU's UUID
    slots: int


_MEMBERS = sa.text(
    f"""
    SELECT w.id::text, w.host, w.pid, w.device, w.started_at, w.drain, w.study_id IS NOT NULL AS asks, o.name AS serves,
        extract(epoch FROM now() - w.seen_at)::float AS silent_s, w.memory_held, w.memory_used, w.memory_total, b.*
    FROM fleet.workers w LEFT JOIN fleet.studies o ON o.id = w.study_id
    LEFT JOIN LATERAL (
        SELECT s.name AS study, r.stage, r.trial_number, r.epoch, r.leased_at, r.facts->>'device' AS model,
            (s.definition->'task'->>'epochs')::int * coalesce(r.seeds, (s.definition->>'repeats')::int, 1) AS epochs
        FROM fleet.runs r JOIN fleet.studies s ON s.id = r.study_id
        WHERE r.worker_id = w.id AND r.state = 'running' LIMIT 1) b ON true
    WHERE w.stopped_at IS NULL AND w.seen_at > now() - interval '{MISSED_S} seconds'
    ORDER BY w.host, w.device, w.started_at, w.id LIMIT {MOST}
    """
)
_SLOTS = sa.text(
    """
    SELECT host, device, count(*)::int AS slots FROM fleet.device_slots WHERE lease_until > now()
    GROUP BY host, device ORDER BY host, device
    """
)


def members(db: Database) -> list[Member]:
    """Return the workers that have not left, by host and device; those that were silent for an hour are left out.

    An asker whose study is gone is left out, too: nothing is left that it could ask for.
    """
    with db.engine.connect() as connection:
        rows = connection.execute(_MEMBERS).all()
    return [_member(row) for row in rows if row.serves is not None or not row.asks]


def held_slots(db: Database) -> list[HeldSlots]:
    """Return the slots on GPUs that are held now."""
    with db.engine.connect() as connection:
        return [HeldSlots(row.host, row.device, row.slots) for row in connection.execute(_SLOTS)]


def _member(row: sa.Row[tuple[object, ...]]) -> Member:
    training = None
    if row.study is not None:
        training = Training(
            row.study, Stage(row.stage), row.trial_number, row.epoch, row.epochs, row.leased_at, row.model
        )
    return Member(
        id=row.id,
        host=row.host,
        pid=row.pid,
        device=row.device,
        started_at=row.started_at,
        silent_s=max(0.0, row.silent_s),
        is_leaving=row.drain,
        is_silent=row.silent_s > SILENT_S,
        serves=row.serves,
        training=training,
        memory=memory_of(row),
    )
