"""Decides how many slots a device gets: the rule of `--slots auto`, from measurements alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MARGIN = 0.1  # of the device's memory, kept free: trials grow, and the allocator wastes some
BUSY = 0.95  # utilisation above which a device has no time left for one more trial
GAIN = 1.05  # the least factor by which one more slot must raise the rate: it costs memory, a process and connections


@dataclass(frozen=True)
class Load:
    """The load of an agent's slots on their device, and their rate."""

    slots: int  # now
    at_most: int  # the number of slots for which there are cores
    total: int  # bytes of memory
    free: int  # bytes of it that no process holds
    held: int  # bytes of it that these slots hold together
    largest: int  # bytes, of the largest of the last trials
    utilisation: float | None = None  # 0 to 1; None: unknown
    rates: Mapping[int, float] = field(default_factory=dict)  # epochs/s of all slots together, by their number


def slots_wanted(load: Load) -> int:
    """The number of slots to go to from here, at least 1.

    If the slots do not fit into the memory, those that fit. Else one step at a time: one fewer if the last slot raised
    the rate by less than `GAIN`; one more if it fits, the device is not busy, and it was not useless before.
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
