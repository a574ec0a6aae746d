"""Where a training comes from: packages, hardware, program, task and data, as this process has them."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from pernodedrop.installation import installed_version
from service.storage.provenance import CODE, DATA, DISTRIBUTIONS, HARDWARE, PACKAGES, RUN, Provenance
from workers.tasks import Task
from workers.tasks.code import program_digest, version_of
from workers.trial.fingerprint import data_of

# The instruction sets that compilers and libraries choose their kernels by.
_SETS = ("sse4_2", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16", "i8mm")

Facts = dict[str, str | int]


def provenance_of(task: Task, facts: dict[str, str | int | float], device: torch.device) -> Provenance:
    """Where a training of this task on this device comes from, whose own `facts` name the backend that ran.

    What does not depend on the training is found once in a process, the data's digest once for a task.
    """
    run: Facts = {"device": device.type, "threads": torch.get_num_threads(), "backend": str(facts["backend"])}
    return {
        PACKAGES: packages(),
        HARDWARE: {**processor(), **(_gpu(device) if device.type == "cuda" else {})},
        RUN: run,
        CODE: {"program": program_digest(), **version_of(type(task))},
        DATA: {"digest": data_of(task, device)},
    }


def know_this_process() -> None:
    """Find now what is the same for every training of this process and its forks; takes some 20 ms."""
    packages(), processor(), program_digest()


@cache
def packages() -> Facts:
    """The versions of Python, of this program and of the packages that matter, as far as they are installed."""
    found: Facts = {"python": platform.python_version(), "pernodedrop": installed_version()}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def processor() -> Facts:
    """The system and the processor: its model, torch's choice of kernels, and its instruction sets."""
    model, sets = _cpuinfo(Path("/proc/cpuinfo"))
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": model or platform.processor() or platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "instruction_sets": " ".join(sets),
    }


def _cpuinfo(path: Path) -> tuple[str, list[str]]:
    """The model of the first processor and its instruction sets that matter; nothing where the system is silent."""
    try:
        first = path.read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        return "", []
    lines = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    sets = (lines.get("flags") or lines.get("Features") or "").split()
    return lines.get("model name", ""), sorted(one for one in sets if one.startswith(_SETS))


def _gpu(device: torch.device) -> Facts:
    about = torch.cuda.get_device_properties(device)
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    libraries = {"cuda": torch.version.cuda, "cudnn": cudnn}
    return {
        "gpu": about.name,
        "gpu_capability": f"{about.major}.{about.minor}",
        **{name: str(found) for name, found in libraries.items() if found is not None},
    }
