"""What the figures were measured on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_INSTRUCTIONS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")  # those that our kernels or torch use


def description(device: torch.device) -> dict[str, Any]:
    """Chip, driver's view of it, processor with its instruction set, and versions."""
    packages = ("torch", "triton", "numpy", "numba")
    found: dict[str, Any] = {
        "device": "cpu",
        "processor": processor(),
        "instructions": [name for name in _INSTRUCTIONS if name in _flags()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: _version(name) for name in packages},
    }
    if device.type == "cuda":
        chip = torch.cuda.get_device_properties(device)
        found["device"] = chip.name
        found["multiprocessors"] = chip.multi_processor_count
        found["memory_gib"] = round(chip.total_memory / 2**30, 1)
        found["capability"] = f"{chip.major}.{chip.minor}"
        found["cuda"] = torch.version.cuda
    return found


def processor() -> str:
    """The processor's name as Linux gives it, else as Python does."""
    names = _cpuinfo("model name")
    return names[0] if names else platform.processor() or platform.machine()


def _flags() -> set[str]:
    return {flag for line in (_cpuinfo("flags") or _cpuinfo("Features"))[:1] for flag in line.split()}


def _cpuinfo(field: str) -> list[str]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(field)]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
