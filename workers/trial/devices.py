"""Reads a device's memory and load, in the process that trains on it."""

import ctypes
import importlib.util
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workers.trial import machine

if TYPE_CHECKING:
    import torch

# The memory that a process holds on a GPU outside torch's allocator: the CUDA context and the libraries' code. Measured
# on an H200 with torch 2.11 for CUDA 13: 618 MiB before a trial, 764 MiB after one (`make gpu-check PARTS=slots`). This
# is 5 % more.
CONTEXT = 800 * 2**20


@dataclass(frozen=True)
class Reading:
    """A device at one moment, as one of the processes on it sees it. Bytes."""

    total: int  # for all processes together
    free: int  # of it, that no process holds
    held: int  # by this process
    peak: int  # the most that it has held since its trial began
    utilisation: float | None = None  # of the device by all processes, 0 to 1; None: unknown


class Device(Protocol):
    """A device as the trial process that uses it sees it."""

    def begin(self) -> None:
        """Start the peaks again, and free the memory that an earlier trial left."""

    def read(self) -> Reading | None:
        """Return the current reading; None if there is none."""


class Cpu:
    """Main memory, under the limits that hold for this process."""

    def begin(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again: proc(5)
        except OSError:
            return  # then an earlier trial's peak still counts, and there are fewer slots than possible

    def read(self) -> Reading | None:
        memory = machine.memory()
        if memory is None:
            return None
        lines = Path("/proc/self/status").read_text().splitlines()
        kilobytes = {name: value.split()[0] for name, value in (line.split(":\t", 1) for line in lines if "kB" in line)}
        held, peak = int(kilobytes["VmRSS"]) * 1024, int(kilobytes["VmHWM"]) * 1024
        return Reading(*memory, held, peak)


class Cuda:
    """One GPU."""

    def __init__(self, device: "torch.device") -> None:
        self._device = device

    def begin(self) -> None:
        import torch

        torch.cuda.empty_cache()  # other slots may need the memory that this process caches
        torch.cuda.reset_peak_memory_stats(self._device)

    def read(self) -> Reading:
        import torch

        free, total = torch.cuda.mem_get_info(self._device)
        held = torch.cuda.memory_reserved(self._device) + CONTEXT
        peak = torch.cuda.max_memory_reserved(self._device) + CONTEXT
        return Reading(total, free, held, peak, self._utilisation())

    def _utilisation(self) -> float | None:
        import torch

        if importlib.util.find_spec("pynvml") is None:
            return None
        return torch.cuda.utilization(self._device) / 100


OpenDevice = Callable[["torch.device"], Device]


def open_device(device: "torch.device") -> Device:
    """The device for a device of torch."""
    return Cuda(device) if device.type == "cuda" else Cpu()


def gpus() -> list[str]:
    """The UUIDs of the GPUs that this process may use, in CUDA's order; empty without NVIDIA's driver.

    It asks the driver itself: importing torch takes seconds, and its context would hold memory on a GPU.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return []
    # The second version where it exists: it gives a slice of a GPU its own UUID.
    ask = getattr(driver, "cuDeviceGetUuid_v2", None) or driver.cuDeviceGetUuid
    count, device, answer = ctypes.c_int(), ctypes.c_int(), (ctypes.c_ubyte * 16)()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    found = []
    for ordinal in range(count.value):
        if driver.cuDeviceGet(ctypes.byref(device), ordinal) or ask(ctypes.byref(answer), device):
            return []
        found.append(f"GPU-{uuid.UUID(bytes=bytes(answer))}")
    return found
