"""Which worker a trial's process belongs to."""

from pathlib import Path

from workers.trial.family import ancestors


def worker_above(pid: int) -> int:
    """The nearest process above that runs the module `workers`.

    It is not found by its distance: where one between has died, that names a process of somebody else.

    Raises:
        ProcessLookupError: the worker has gone.
    """
    for above in ancestors(pid):
        if b"workers" in Path(f"/proc/{above}/cmdline").read_bytes().split(b"\0"):
            return above
    raise ProcessLookupError(f"no worker is above {pid}")
