"""How fast a layer could be at best: what it must move and compute, over what the chip does of either a second.

The chip's rates are measured here: bytes by a large copy, single-precision operations by a large matrix product.
Instructions are issued once a cycle by each of a multiprocessor's four schedulers, at the clock that the driver gives
as the highest.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.gpu.stopwatch import seconds_of

ROOT = Path(__file__).parents[2]
_THREADS = 4 * 32  # that a multiprocessor serves in one cycle
_PRODUCTS = 3  # of a dense layer's step: the output, both gradients


@dataclass(frozen=True)
class Chip:
    """What a device does in a second; 0 where it is not known."""

    bytes: float  # moved, read and written
    operations: float  # of a single-precision matrix product, without tensor cores' shortcuts
    instructions: float  # of single threads


@dataclass(frozen=True)
class Sizes:
    """A layer and its batch."""

    samples: int
    connections: int
    units: int

    @property
    def factors(self) -> int:
        """Of one mask."""
        return self.samples * self.connections * self.units

    @property
    def bytes(self) -> int:
        """That a step must move at least, however it computes: each operand read once and each result written once."""
        x, weight, y = self.samples * self.connections, self.connections * self.units, self.samples * self.units
        forward, backward = x + weight + y, y + x + weight + x + weight
        return 4 * (forward + backward)

    @property
    def operations(self) -> int:
        """Of the dense layer's three matrix products."""
        return 2 * _PRODUCTS * self.factors


def chip(device: torch.device, *, small: bool) -> Chip:
    """The device's rates, measured for a moment."""
    count, side, repeats = (1 << 20, 128, 2) if small else (1 << 29, 8192, 10)
    a = torch.randn(count, device=device)
    b = torch.empty_like(a)
    m = torch.randn(side, side, device=device)

    def fastest(call: Callable[[], object], times: int) -> float:
        call()
        return min(seconds_of(call, device) for _ in range(times))

    moved = 8.0 * count / fastest(lambda: b.copy_(a), repeats)
    computed = 2.0 * side**3 / fastest(lambda: m @ m, repeats)
    issued = 0.0
    if device.type == "cuda" and (clock := _clock()):
        issued = torch.cuda.get_device_properties(device).multi_processor_count * _THREADS * clock
    return Chip(moved, computed, issued)


def instructions_a_factor() -> dict[str, float]:
    """Of output and gradients together, by the law's name in `listing`; empty where nothing was listed."""
    found: dict[str, float] = {}
    for (_, law), (looped, _) in listed().items():
        found[law] = found.get(law, 0.0) + looped
    return found


def listed(seconds: float = 60.0) -> dict[tuple[str, str], tuple[float, float]]:
    """Instructions a factor in the loop, and once a tile, by the pass of `bernoulli` and the law.

    Empty where the compiler's tools are missing or take longer than `seconds`.
    """
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    capability = "90"
    if torch.cuda.is_available():
        major, minor = torch.cuda.get_device_capability()
        capability = f"{major}{minor}"
    command = [sys.executable, "-m", "benchmarks.gpu.listing", "--single", "--arch", capability]
    command += ["--law", "bernoulli 0.1", "--law", "bernoulli 0.5"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {}
    rows = re.findall(r"^\| bernoulli (\w+) \| ([^|]+) \| [^|]+ \| ([\d.]+) \| ([\d.]+) \|", done.stdout, re.MULTILINE)
    return {(name, law): (float(looped), float(once)) for name, law, looped, once in rows}


def _clock() -> float:
    """The multiprocessors' highest clock in Hz, 0 where nobody tells."""
    command = ["nvidia-smi", "--query-gpu=clocks.max.sm", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0.0
    return 1e6 * float(number[0]) if (number := re.findall(r"\d+", told)) else 0.0
