"""What each layer costs beside Dropout + Linear: forward and backward time, and peak memory.

    python -m benchmarks.layers --shape 4096x64 --shape 1024x256 --json layers.json
    python -m benchmarks.layers --shape 256x64 --batch 32 --positions 16

With `--positions` the inputs are sequences, and PerNodeDrop's masks are fresh, shared or change slowly over them. With
`--thread-time` the clock stands while other processes have the core, which one thread on a busy machine needs.
Every round runs every layer once, so that a busy machine slows all alike; the table shows medians over the rounds.
Peak memory is that of one step with its layer and input built within it: on Linux the growth of the process's
high-water mark, on a GPU what torch allocated.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.compared import BASELINE, Build, layers, over_time
from benchmarks.gpu.machine import processor
from pernodedrop.layers import ChoosesBackend

MIB = float(1 << 20)
# What keeps numba, torch and its libraries from AVX-512; each reads it when it first computes.
WITHOUT_AVX512 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
M_MMAP_THRESHOLD = -3  # glibc's mallopt parameter: blocks above it go back to the system when freed


@dataclass(frozen=True)
class Row:
    """One layer at one shape."""

    layer: str
    backend: str | None
    shape: str
    batch: int
    milliseconds: float  # median of forward + backward
    fastest: float  # milliseconds of the fastest round
    ratio: float  # median over the rounds of the time over the baseline's in the same round
    peak_mib: float | None
    peak_ratio: float | None


@dataclass(frozen=True)
class Settings:
    """What is compared: layers at a rate, or, where there are positions, masks over time."""

    rate: float
    fraction: float
    reference: bool
    compiled: bool
    positions: int | None
    thread_time: bool = False  # the time that the thread had a core

    def layers(self) -> dict[str, Build]:
        """The compared layers by their name, the baseline first."""
        if self.positions is not None:
            return over_time(self.rate)
        return layers(self.rate, self.fraction, self.reference, self.compiled)

    def rows(self, batch: int) -> tuple[int, ...]:
        """The leading dimensions of an input."""
        return (batch,) if self.positions is None else (batch, self.positions)


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a layer's rounds, and the backend that ran."""

    rounds: list[float]
    backend: str | None


def timings(settings: Settings, shape: str, batch: int, rounds: int, device: torch.device) -> dict[str, Timing]:
    """Every layer at a shape such as "4096x64" (connections x units), one after the other in every round."""
    connections, units = sides(shape)
    x = torch.randn(*settings.rows(batch), connections, device=device, requires_grad=True)
    grad = torch.randn(*settings.rows(batch), units, device=device)
    built = {name: build(connections, units).to(device) for name, build in settings.layers().items()}
    clock = time.thread_time if settings.thread_time else time.perf_counter
    for layer in built.values():  # compiles what needs compiling
        step(layer, x, grad, clock)
    times: dict[str, list[float]] = {name: [] for name in built}
    for _ in range(rounds):
        for name, layer in built.items():
            times[name].append(step(layer, x, grad, clock))
    used = {name: layer.backend_used if isinstance(layer, ChoosesBackend) else None for name, layer in built.items()}
    return {name: Timing(times[name], used[name]) for name in built}


def rows_of(shape: str, batch: int, timed: dict[str, Timing], peaks: dict[str, float | None]) -> list[Row]:
    """One row per layer; the baseline is the first."""
    base, base_peak = timed[BASELINE].rounds, peaks[BASELINE]
    return [
        Row(
            layer=name,
            backend=timing.backend,
            shape=shape,
            batch=batch,
            milliseconds=statistics.median(timing.rounds),
            fastest=min(timing.rounds),
            ratio=statistics.median(a / b for a, b in zip(timing.rounds, base, strict=True)),
            peak_mib=peaks[name],
            peak_ratio=peaks[name] / base_peak if base_peak else None,  # 0 where the step is too small to be seen
        )
        for name, timing in timed.items()
    ]


def sides(shape: str) -> tuple[int, int]:
    connections, units = shape.split("x")
    return int(connections), int(units)


def step(
    layer: nn.Module, x: torch.Tensor, grad: torch.Tensor, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Milliseconds of one forward and backward; gradients start at None, as after zero_grad()."""
    layer.zero_grad()
    x.grad = None
    synchronize(x.device)
    start = clock()
    layer(x).backward(grad)
    synchronize(x.device)
    return (clock() - start) * 1e3


def give_memory_back() -> None:
    """Makes glibc return freed blocks to the system at once, so that they leave the process's size."""
    if sys.platform == "linux":
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 16)


def peaks_of(settings: Settings, shape: str, batch: int, device: torch.device) -> dict[str, float | None]:
    """The peak of every layer by its name."""
    return {name: peak(build, shape, settings.rows(batch), device) for name, build in settings.layers().items()}


def peak(build: Build, shape: str, rows: tuple[int, ...], device: torch.device) -> float | None:
    """MiB that one step holds at most, its layer and its input included; None where it cannot be read."""
    connections, units = sides(shape)

    def build_and_step() -> None:
        x = torch.randn(*rows, connections, device=device, requires_grad=True)
        step(build(connections, units).to(device), x, torch.randn(*rows, units, device=device))

    build_and_step()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        build_and_step()
        return (torch.cuda.max_memory_allocated(device) - before) / MIB
    if not Path("/proc/self/clear_refs").exists():
        return None
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = kibibytes("VmRSS")
    build_and_step()
    return (kibibytes("VmHWM") - before) * 1024 / MIB


def kibibytes(field: str) -> int:
    """A memory figure of this process, from Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def table(rows: list[Row]) -> Table:
    """The rows as a table for people."""
    columns = ["layer", "backend", "I x J", "batch", "ms", "fastest", "ratio", "peak MiB", "peak ratio"]
    shown = Table(*columns, title=f"forward + backward, ratio to {BASELINE}")
    for row in rows:
        memory = [
            f"{value:.{digits}f}" if value is not None else "-"
            for value, digits in ((row.peak_mib, 0), (row.peak_ratio, 2))
        ]
        figures = [f"{row.milliseconds:.2f}", f"{row.fastest:.2f}", f"{row.ratio:.2f}", *memory]
        shown.add_row(row.layer, row.backend or "", row.shape, str(row.batch), *figures)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", help="connections x units; repeatable (default 4096x64)")
    parser.add_argument("--batch", type=int, default=128, help="samples (default 128)")
    parser.add_argument("--rounds", type=int, default=21, help="timed rounds (default 21)")
    parser.add_argument("--rate", type=float, default=0.4, help="drop rate (default 0.4)")
    parser.add_argument("--fraction", type=float, default=0.5, help="noisy fraction of partial gaussian (default 0.5)")
    parser.add_argument("--positions", type=int, help="of a sample: compares masks over time")
    parser.add_argument("--thread-time", action="store_true", help="time of the thread, not of the clock")
    parser.add_argument("--threads", type=int, help="threads (default torch's)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    parser.add_argument("--reference", action="store_true", help="add the materialized masks")
    parser.add_argument("--compiled", action="store_true", help="add torch.compile of the materialized mask")
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor that has AVX2")
    parser.add_argument("--json", type=Path, help="write machine, versions and rows to this file")
    options = parser.parse_args()
    if options.without_avx512:
        os.environ.update(WITHOUT_AVX512)
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = Settings(
        options.rate, options.fraction, options.reference, options.compiled, options.positions, options.thread_time
    )
    shapes, batch, device = options.shape or ["4096x64"], options.batch, torch.device(options.device)
    torch.manual_seed(0)
    timed = {shape: timings(settings, shape, batch, options.rounds, device) for shape in shapes}
    # in a process of their own, whose allocator is slower and gives memory back
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=give_memory_back) as child:
        peaks = {shape: child.submit(peaks_of, settings, shape, batch, device).result() for shape in shapes}
    rows = [row for shape in shapes for row in rows_of(shape, batch, timed[shape], peaks[shape])]
    console = Console(width=120)
    from pernodedrop.backends.cpu.processor import instructions  # numba reads its settings when it is imported

    console.print(table(rows))
    machine = {
        "processor": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "kernel": instructions(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "numba")},
    }
    console.print(machine)
    if options.json:
        options.json.write_text(
            json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n"
        )


if __name__ == "__main__":
    main()
