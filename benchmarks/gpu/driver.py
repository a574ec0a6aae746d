"""What NVIDIA's driver says of its GPUs, by the program that comes with it."""

import re
import subprocess

from benchmarks.gpu.findings import NotHere

PATIENCE_S = 20.0


def uuids(kind: str) -> list[str]:
    """The UUIDs, without that prefix, of all GPUs (kind GPU) or of their slices (kind MIG)."""
    return re.findall(rf"UUID: {kind}-([0-9a-f-]+)", _said("-L"))


def held_by(pid: int) -> int | None:
    """Bytes that the process holds on all GPUs, None where the driver does not know its number or its memory."""
    rows = _said("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits").splitlines()
    mebibytes = [row.split(",")[1].strip() for row in rows if row.split(",")[0].strip() == str(pid)]
    if not mebibytes or not all(number.isdecimal() for number in mebibytes):
        return None
    return sum(map(int, mebibytes)) * 2**20


def _said(*options: str) -> str:
    try:
        told = subprocess.run(["nvidia-smi", *options], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"nvidia-smi must answer ({error}): install it with NVIDIA's driver") from error
    if told.returncode:
        said = " ".join((told.stdout + told.stderr).split())[:300]
        raise NotHere(f"nvidia-smi must end with status 0, it did with {told.returncode} ({said}): see its own message")
    return told.stdout
