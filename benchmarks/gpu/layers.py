"""Part `layers`: a layer beside Dropout + Linear and beside the chip's limits, and the best tile of the exact kernel.

A step is forward and backward, as a training runs it and, where the processor is to be left out, as a CUDA graph. Steps
take turns, so that all meet the same clock, and each is called once untimed, so that none pays for its neighbour; a
ratio is the median over the rounds. Each table's rows are layers, its columns connections x units at a batch size.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from benchmarks.compared import BASELINE, MATERIALIZED, Build, layers
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.recording import need_gpu, record
from benchmarks.gpu.roof import Chip, Sizes, chip, instructions_a_factor
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.stopwatch import finish, seconds_of
from benchmarks.gpu.tiles import try_tiles

SHAPES, SMALL_SHAPES = ((1024, 256), (4096, 64), (65536, 64), (4096, 4096)), ((64, 16),)
BATCHES, SMALL_BATCHES = (128, 1024), (16,)
RATES = (0.5, 0.1)
COMPILED, COMPILED_S = (128, 4096, 64), 30.0  # where torch.compile of a materialized mask is tried, and what it takes
FRACTION = 0.5  # noisy, of the partial Gaussian
MATERIALIZED_COPIES = 5  # of the mask that a step with a materialized one holds at its peak
ROUNDS, ROUNDS_S = 30, 0.25  # at most, and about as long, for one layer at one shape
WARM_UP = 3
TILES_S = 28.0  # kept for the tiles

AIMS = {"PerNodeDrop gaussian": 1.0, "PerNodeDrop bernoulli": 2.0}
PEAK_AIM = 1.3


@dataclass(frozen=True)
class Place:
    """A column of the tables."""

    sizes: Sizes
    rate: float

    def __str__(self) -> str:
        return f"{self.sizes.connections} x {self.sizes.units}, batch {self.sizes.samples}, rate {self.rate:g}"


def run(findings: Findings, setting: Setting) -> None:
    """The cheap shapes first, so that a part that is cut off has most of its tables."""
    if setting.small:
        setting.take_triton_on_the_cpu()
    here = chip(setting.device, small=setting.small)
    findings.figure("The chip", "copy", "measured", here.bytes / 1e9, "GB/s")
    findings.figure("The chip", "single-precision matrix product", "measured", here.operations / 1e12, "TFLOP/s")
    if here.instructions:
        findings.figure("The chip", "instructions of threads", "highest clock", here.instructions / 1e12, "T/s")
    counts = instructions_a_factor()
    for law, count in counts.items():
        findings.figure("Instructions a factor, forward and backward", law, "by the compiler's listing", count)
    for place in places(setting):
        if findings.seconds_left < setting.pick(TILES_S, 0.0):
            findings.note(f"no time was left for {place}")
            continue
        compared = layers(place.rate, FRACTION, reference=place.rate == RATES[0], compiled=False)
        comparison = Comparison(findings, setting, place, here, counts)
        findings.check(f"steps at {place}", partial(comparison.of, compared))
        findings.check(f"steps at {place}, as CUDA graphs", partial(comparison.of_replays, compared))
    try_tiles(findings, setting)
    if findings.seconds_left > setting.pick(COMPILED_S, math.inf):
        place = Place(Sizes(*COMPILED), RATES[0])
        found = layers(place.rate, FRACTION, reference=False, compiled=True)
        compiled = {name: build for name, build in found.items() if name == BASELINE or name.startswith(MATERIALIZED)}
        findings.check("torch.compile", partial(Comparison(findings, setting, place, here, counts).of, compiled))


def places(setting: Setting) -> list[Place]:
    """Every column, the smaller work first."""
    shapes, batches = setting.pick(SHAPES, SMALL_SHAPES), setting.pick(BATCHES, SMALL_BATCHES)
    columns = [Place(Sizes(batch, *shape), rate) for shape, batch, rate in product(shapes, batches, RATES)]
    return sorted(columns, key=lambda place: place.sizes.factors)


class Comparison:
    """Of layers at one place; their figures go into the tables' column."""

    def __init__(
        self, findings: Findings, setting: Setting, place: Place, here: Chip, counts: Mapping[str, float]
    ) -> None:
        self._findings, self._device, self._place = findings, setting.device, place
        self._here, self._counts = here, counts

    def of(self, compared: Mapping[str, Build]) -> None:
        """Time every layer, and write down ratios, milliseconds, peaks and shares of the limit."""
        steps = {name: Step(build, self._place.sizes, self._device) for name, build in self._fitting(compared)}
        times = take_turns(steps, self._device)
        base, base_peak = times[BASELINE], steps[BASELINE].peak()
        for name, step in steps.items():
            ratio = statistics.median(mine / its for mine, its in zip(times[name], base, strict=True))
            self._write("Time beside Dropout + Linear", name, ratio, at_most=AIMS.get(name))
            milliseconds = statistics.median(times[name]) * 1e3
            self._write("Forward and backward", name, milliseconds, "ms")
            if (floor := least_seconds(name, self._place, self._here, self._counts)) is not None:
                self._write("Share of the chip's limit", name, 100 * floor * 1e3 / milliseconds, "%")
            if base_peak is not None and (peak := step.peak()) is not None:
                aim = PEAK_AIM if name in AIMS else None
                self._write("Peak memory beside Dropout + Linear", name, peak / base_peak, at_most=aim)

    def of_replays(self, compared: Mapping[str, Build]) -> None:
        """Time every layer's replays: what is left of a step when no processor launches it."""
        need_gpu(self._device)
        sizes = self._place.sizes
        steps = {n: Step(build, sizes, self._device) for n, build in compared.items() if not n.startswith(MATERIALIZED)}
        times = take_turns({name: record(step)[0].replay for name, step in steps.items()}, self._device)
        for name, found in times.items():
            ratio = statistics.median(mine / its for mine, its in zip(found, times[BASELINE], strict=True))
            self._write("Time beside Dropout + Linear, as CUDA graphs", name, ratio)
            self._write("Forward and backward, as CUDA graphs", name, statistics.median(found) * 1e3, "ms")

    def _fitting(self, compared: Mapping[str, Build]) -> Iterator[tuple[str, Build]]:
        for name, build in compared.items():
            if name.startswith(MATERIALIZED) and not fits(self._place.sizes, self._device):
                size = 4 * self._place.sizes.factors / 2**30
                self._findings.note(f"{name} at {self._place} was not run: masks of {size:.0f} GiB are too large")
                continue
            yield name, build

    def _write(self, table: str, name: str, value: float, unit: str = "", *, at_most: float | None = None) -> None:
        self._findings.figure(table, name, str(self._place), value, unit, at_most=at_most)


class Step:
    """Forward and backward of one layer on one batch; gradients start at None, as after zero_grad()."""

    def __init__(self, build: Build, sizes: Sizes, device: torch.device) -> None:
        self._build, self._sizes, self._device = build, sizes, device
        self._layer: nn.Module = build(sizes.connections, sizes.units).to(device)
        self._x, self._grad = self._batch()

    def __call__(self) -> None:
        self._layer.zero_grad()
        self._x.grad = None
        self._layer(self._x).backward(self._grad)

    def _batch(self) -> tuple[Tensor, Tensor]:
        sizes = self._sizes
        x = torch.randn(sizes.samples, sizes.connections, device=self._device, requires_grad=True)
        return x, torch.randn(sizes.samples, sizes.units, device=self._device)

    def peak(self) -> int | None:
        """Bytes that a step holds at most, its layer and input included; None where the device does not tell."""
        if self._device.type != "cuda":
            return None
        self._layer.zero_grad()
        self._x.grad = None
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        own = sum(p.nbytes for p in (*self._layer.parameters(), *self._layer.buffers(), self._x, self._grad))
        before = torch.cuda.memory_allocated()
        self()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before + own


def take_turns(steps: Mapping[str, Callable[[], None]], device: torch.device) -> dict[str, list[float]]:
    """Seconds of every step in every round, after a warm-up that compiles what must be compiled."""
    slowest = 0.0
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
        slowest = max(slowest, seconds_of(step, device))
    rounds = max(3, min(ROUNDS, int(ROUNDS_S / max(slowest, 1e-9))))
    times: dict[str, list[float]] = {name: [] for name in steps}
    finish(device)
    for _ in range(rounds):
        for name, step in steps.items():
            step()  # what ran before has taken the caches and the allocator's blocks
            times[name].append(seconds_of(step, device))
    return times


def fits(sizes: Sizes, device: torch.device) -> bool:
    """Whether a step with materialized masks fits into the device's free memory."""
    if device.type != "cuda":
        return True
    torch.cuda.empty_cache()
    return MATERIALIZED_COPIES * 4 * sizes.factors < torch.cuda.mem_get_info(device)[0]


def least_seconds(name: str, place: Place, here: Chip, counts: Mapping[str, float]) -> float | None:
    """The longest of what the step's bytes, operations and instructions take at the chip's rates; None: not counted."""
    sizes = place.sizes
    moved = sizes.bytes / here.bytes
    if name == BASELINE:
        return max(moved, sizes.operations / here.operations)
    if name == "PerNodeDrop gaussian":  # x W and x^2 W^2
        return max(moved, 2 * sizes.operations / here.operations)
    count = counts.get(f"bernoulli {place.rate:g}")
    if name == "PerNodeDrop bernoulli" and count and here.instructions:
        return max(moved, count * sizes.factors / here.instructions)
    return None
