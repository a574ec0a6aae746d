"""A disk for checkpoints that can be full: a small tmpfs for root, else a file in the folder's place."""

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

SIZE = "64m"
CHUNK = bytes(2**16)


class Disk:
    """`folder` for checkpoints."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_real = False  # whether it has a size of its own

    def __enter__(self) -> Self:
        self.folder.mkdir()
        if os.geteuid() == 0:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(self.folder)]
            self.is_real = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self.is_real:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self, seconds: float) -> None:
        """Have no room for `seconds`."""
        if self.is_real:
            self._fill_up(seconds)
        else:
            self._replace(seconds)

    def flip(self, runs: Sequence[int], draw: random.Random) -> None:
        """Flip one bit in each checkpoint of the runs, whose worker is gone."""
        for file in (file for run in runs for file in self.folder.glob(f"run-{run}/*.pt")):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                content = bytearray(file.read_bytes())
                content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
                file.write_bytes(content)

    def left(self) -> list[str]:
        """The runs that still have checkpoints."""
        return sorted(path.name for path in self.folder.iterdir())

    def _fill_up(self, seconds: float) -> None:
        filler = self.folder / "filler"
        deadline = time.monotonic() + seconds
        try:
            with filler.open("ab", buffering=0) as file:
                while time.monotonic() < deadline:  # others give room back meanwhile
                    with contextlib.suppress(OSError):
                        while file.write(CHUNK) == len(CHUNK):
                            pass
                    time.sleep(0.05)
        finally:
            filler.unlink()

    def _replace(self, seconds: float) -> None:
        aside = self.folder.with_name("aside")
        self.folder.rename(aside)
        try:
            self.folder.write_bytes(b"")
            time.sleep(seconds)
        finally:
            self.folder.unlink()
            aside.rename(self.folder)
