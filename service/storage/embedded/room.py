"""Whether a server's disks have room."""

import errno
import math
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
START = 2**25  # bytes that a start needs: two segments of the write-ahead log
WORK = 2**20  # bytes that a running server needs: it makes its files longer by up to half of that


def is_named_in(reason: str) -> bool:
    """Whether a program says that a disk is full."""
    return any(os.strerror(number) in reason for number in FULL)


def lacks(folders: Iterable[Path], needed: int) -> bool:
    """Whether the disk of one of the folders that are there has less than `needed` bytes for others than root."""
    return any(_free(folder) < needed for folder in folders)


def _free(folder: Path) -> float:
    """Bytes; infinite where the folder is gone or its file system does not count them."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return math.inf
    return usage.free if usage.total else math.inf
