"""Memory and cores that this machine, or its container, gives to its processes. Linux; elsewhere unknown."""

import os
from functools import lru_cache
from pathlib import Path

_ROOT = Path("/")
_UNLIMITED = 2**60  # version 1 writes a number of this size for "no limit"


def memory(root: Path = _ROOT) -> tuple[int, int] | None:
    """Bytes that all processes here may use together, and those of them that are free; None if unknown.

    It is the tightest limit of the machine's memory and of the control groups that hold this process. The page cache
    counts as free.
    """
    lines = _text(root / "proc/meminfo").splitlines()
    if not lines:
        return None
    kilobytes = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    total, free = kilobytes["MemTotal"] * 1024, kilobytes["MemAvailable"] * 1024
    for group in _groups("memory", root):
        limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes")
        if limit is None or limit >= _UNLIMITED:
            continue
        used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes")
        if used is not None:
            total, free = min(total, limit), min(free, limit - used + _cached(group))
    return total, max(0, free)


def cores(root: Path = _ROOT) -> int:
    """Cores that the processes here may use: those they may run on, or the control groups' share of them."""
    count = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    for group in _groups("cpu", root):
        quota, period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if (both := _text(group / "cpu.max").split()) and both[0] != "max":
            quota, period = int(both[0]), int(both[1])
        if quota is not None and quota > 0 and period:
            count = min(count, quota / period)
    return max(1, int(count))


def kills_for_memory(root: Path = _ROOT) -> int | None:
    """The number of processes that the kernel has killed since its start because memory ran out; None if unknown."""
    for line in _text(root / "proc/vmstat").splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def _groups(controller: str, root: Path) -> list[Path]:
    """The folders of the control groups that hold this process, of both versions, innermost first."""
    return _folders(controller, root, _text(root / "proc/self/cgroup"))


@lru_cache(maxsize=8)  # a trial reads its memory every second, and this is most of what that costs
def _folders(controller: str, root: Path, said: str) -> list[Path]:
    found = []
    for line in said.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        base = root / "sys/fs/cgroup" / (controller if controllers else "")
        inner = base / path.lstrip("/")
        # A container that sees the host's path finds its own group at the top.
        inner = inner if inner.exists() else base
        found += [folder for folder in (inner, *inner.parents) if folder == base or base in folder.parents]
    return found


def _cached(group: Path) -> int:
    figures = dict(line.split() for line in _text(group / "memory.stat").splitlines())
    return int(figures.get("total_inactive_file", figures.get("inactive_file", 0)))


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a trial reads many such files every second)
            return file.read().decode(errors="replace")
    except OSError:
        return ""
