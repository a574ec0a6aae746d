"""How many slots a device bears: the rule of `--slots auto`, from measurements alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MARGIN = 0.1  # of the device's memory, kept free: trials grow, and the allocator wastes some
BUSY = 0.95  # utilisation above which a device has no time left for one more trial
GAIN = 1.05  # the least that a further slot must bring: it costs memory, a process and database connections


@dataclass(frozen=True)
class Load:
    """What an agent's slots need on their device and what they give."""

    slots: int  # that train there now
    at_most: int  # as many as there are cores for
    total: int  # bytes of memory
    free: int  # bytes of it, held by nobody
    held: int  # bytes of it, held by these slots together
    largest: int  # bytes that the largest of the last trials took
    utilisation: float | None = None  # 0 to 1; None: the device does not tell
    rates: Mapping[int, float] = field(default_factory=dict)  # epochs/s of all slots together, by their number


def slots_wanted(load: Load) -> int:
    """The number of slots to go to from here, at least 1.

    Down to what the memory bears at once; else one step at a time: down if the last slot brought less than `GAIN`,
    up if one more fits, the device is not busy, and one more was not found useless before.
    """
    fitting = int(load.free + load.held - MARGIN * load.total) // load.largest
    most = max(1, min(load.at_most, fitting))
    if load.slots > most:
        return most
    now, fewer, more = (load.rates.get(load.slots + step) for step in (0, -1, 1))
    if now is None:
        return load.slots
    if fewer is not None and now < fewer * GAIN:
        return load.slots - 1
    if load.utilisation is not None and load.utilisation > BUSY:
        return load.slots
    if more is not None and more < now * GAIN:
        return load.slots
    return min(load.slots + 1, most)
