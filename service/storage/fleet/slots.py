"""Slots on GPUs, leased: workers that are scaled on one host spread over its GPUs.

A slot is advice to the next worker, not a lock: more processes may share a GPU than there are slots.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.database.tables import device_slots

_CHOOSING = 0x51075  # any constant: one worker chooses at a time, so that two that start together choose differently

# The least used device, the first named of equals, and its lowest free slot.
_TAKE = sa.text(
    """
    INSERT INTO fleet.device_slots (device, slot, holder, host, lease_until)
    SELECT device, (
            SELECT min(number) FROM generate_series(0, used) number WHERE NOT EXISTS (
                SELECT FROM fleet.device_slots taken WHERE taken.device = least.device AND taken.slot = number)),
        :holder, :host, now() + make_interval(secs => :seconds)
    FROM (
        SELECT d.device, count(s.slot)::int AS used
        FROM unnest(cast(:devices AS text[])) WITH ORDINALITY AS d (device, place)
        LEFT JOIN fleet.device_slots s ON s.device = d.device
        GROUP BY d.device, d.place ORDER BY used, d.place LIMIT 1) least
    RETURNING device
    """
)


def take(db: Database, holder: str, host: str, devices: Sequence[str], seconds: float) -> str:
    """Lease a slot on the least used of `devices` for `seconds`, and return that device.

    `holder` (a UUID) gives up the slot it had. Slots whose leases have ended count as free.
    """
    with db.engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHOOSING)))
        over = sa.or_(device_slots.c.holder == holder, device_slots.c.lease_until < sa.func.now())
        connection.execute(device_slots.delete().where(over))
        values = {"holder": holder, "host": host, "devices": list(devices), "seconds": seconds}
        device: str = connection.execute(_TAKE, values).scalar_one()
    return device


def renew(db: Database, holders: Sequence[str], seconds: float) -> int:
    """Hold the holders' slots for `seconds` from now; returns how many still had theirs."""
    with db.engine.begin() as connection:
        until = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        held = device_slots.c.holder.in_(holders)
        return connection.execute(device_slots.update().where(held).values(lease_until=until)).rowcount


def release(db: Database, holders: Sequence[str]) -> None:
    """Give the holders' slots back."""
    with db.engine.begin() as connection:
        connection.execute(device_slots.delete().where(device_slots.c.holder.in_(holders)))
