"""A worker on devices that are pretended: `python -m tests.workers.pretended`, with the options of `-m workers`.

Their memory is a folder, PRETENDED_MEMORY, in which every trial process keeps a file with the bytes that it holds;
there are PRETENDED_BYTES of it for all together. GPUS names GPUs, to be leased. Everything else is real.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import nn

from search_spaces import TrialConfig
from tests.workers.own_tasks import Line
from workers.__main__ import main
from workers.slots import Slots
from workers.trial.devices import Reading

IDLE = 5  # bytes that a process holds between trials


def total() -> int:
    return int(os.environ["PRETENDED_BYTES"])


def held_by_all() -> int:
    """What processes that are still there hold together."""
    return sum(int(file.read_text() or 0) for file in _files())


def allocate(size: int) -> None:
    """Hold `size` bytes from here on, and no others.

    Raises:
        torch.OutOfMemoryError: there are not so many beside what other processes hold.
    """
    folder = Path(os.environ["PRETENDED_MEMORY"])
    mine = folder / str(os.getpid())
    with (folder.parent / "memory.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # nobody sees a size that is refused, or a file that is half written
        mine.write_text("0")
        fits = held_by_all() + size <= total()
        mine.write_text(str(size if fits else IDLE))
    if not fits:
        raise torch.OutOfMemoryError(f"{size} of {total()} bytes")


class Pretended:
    """As the trial process sees it."""

    def __init__(self, _: torch.device) -> None:
        allocate(IDLE)

    def begin(self) -> None:
        allocate(IDLE)

    def read(self) -> Reading:
        held = int(Path(os.environ["PRETENDED_MEMORY"], str(os.getpid())).read_text())
        return Reading(total(), total() - held_by_all(), held, held)


class Hungry(Line):
    """Holds as many pretended bytes as its dimension `size` says."""

    def build(self, config: TrialConfig) -> nn.Module:
        allocate(int(config.extra["size"]))
        return super().build(config)


def _files() -> Iterator[Path]:
    for file in Path(os.environ["PRETENDED_MEMORY"]).iterdir():
        if Path("/proc", file.name).exists():
            yield file


if __name__ == "__main__":
    from tests.workers.pretended import Pretended as Importable  # trial processes find it under this name

    listed = os.environ.get("GPUS", "").split()
    sys.exit(main(make_slots=partial(Slots, opener=Importable, list_gpus=lambda: listed, measured_s=0.5)))
