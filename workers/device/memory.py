"""The memory of a slot and of its device, for the worker's sign of life."""

import re
from collections.abc import Iterable
from pathlib import Path

from service.storage.records import DeviceMemory
from workers.trial import family, machine
from workers.trial.devices import Reading
from workers.trial.process import TrialProcess

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def memory_of(process: TrialProcess, reading: Reading | None) -> DeviceMemory | None:
    """The memory of the process's device: of a CPU now, of a GPU by the reading, which only its own process can take.

    None where it is unknown.
    """
    if process.device.startswith("cuda"):
        return None if reading is None else DeviceMemory(reading.held, reading.total - reading.free, reading.total)
    found = machine.memory()
    if found is None:
        return None
    total, free = found
    below = set() if process.keeper is None else {process.keeper, *family.descendants(process.keeper)}
    return DeviceMemory(resident(below), total - free, total)


def resident(processes: Iterable[int], root: Path = Path("/proc")) -> int | None:
    """The bytes of main memory that the processes hold, what is shared in shares; None where the system says nothing.

    Forked processes share most of their pages, which a sum of resident sizes would count several times.
    """
    sizes = []
    for process in processes:
        try:
            found = _PSS.search((root / str(process) / "smaps_rollup").read_text())
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if found is not None:
            sizes.append(1024 * int(found[1]))
    return sum(sizes) if sizes else None
