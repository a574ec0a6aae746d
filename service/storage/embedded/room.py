"""Whether a server's disks have room."""

import errno
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
    return any(shutil.disk_usage(folder).free < needed for folder in folders if folder.exists())
