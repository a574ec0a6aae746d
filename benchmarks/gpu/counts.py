"""What the exact kernels load, store, draw and compute at a shape, and what a chip needs for it at least. Needs no GPU.

    python -m benchmarks.gpu.counts [--rate 0.1] [--shape 1024x256] [--samples 128]

Triton's interpreter runs a program of each launch and counts (see `counting`); Triton's compiler gives the machine
instructions (see `listing`), of a program's loop and of what lies around it. The estimate is the longest of what the
bytes, the operations and the instructions take at the chip's rates, without the time to launch and to wait. Bytes count
each time that a program asks for them, as if no cache kept them.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported

import torch

from benchmarks.gpu.counting import Counts, counted
from benchmarks.gpu.roof import Sizes, listed
from pernodedrop.backends import gpu
from pernodedrop.backends.factors import Factors, quantized

SHAPES = ((1024, 256), (4096, 64), (4096, 128))  # connections, units
RATES = (0.5, 0.1)
SAMPLES = 128
LISTING_S = 600.0
_ISSUED = 4 * 32  # instructions of threads that a multiprocessor begins in a cycle


@dataclass(frozen=True)
class Chip:
    """Rates a second."""

    name: str
    bytes: float
    operations: float  # of single precision
    instructions: float  # of threads


# NVIDIA's data sheets of H200 SXM and A100 80GB SXM: bandwidth, single precision, multiprocessors, boost clock.
CHIPS = (
    Chip("H200", 4.8e12, 67e12, 132 * _ISSUED * 1.98e9),
    Chip("A100", 2.039e12, 19.5e12, 108 * _ISSUED * 1.41e9),
)


@dataclass(frozen=True)
class Step:
    """Forward and backward of a layer."""

    output: Counts
    gradients: Counts
    launches: Mapping[str, int]  # steps of a program's loop, by the kernel

    @property
    def counts(self) -> Counts:
        return self.output + self.gradients

    def instructions(self, law: str, of_kernels: Mapping[tuple[str, str], tuple[float, float]]) -> float:
        """A factor's, in all launches; 0 where the compiler's tools are missing or it was not asked for this law."""
        found = [(of_kernels.get((name, law)), steps) for name, steps in self.launches.items()]
        return sum(each[0] + each[1] / steps for each, steps in found if each is not None)


def of_kernels(sizes: Sizes, factors: Factors, *, every: bool = False) -> Step:
    """Of the exact kernels at one position a sample."""
    x = torch.randn(sizes.samples, 1, sizes.connections)
    weight = torch.randn(sizes.units, sizes.connections)
    grad = torch.randn(sizes.samples, 1, sizes.units)
    seed = torch.zeros(1, dtype=torch.int64)
    with counted(every=every) as forward:
        gpu.product(x, weight, seed, factors)
    with counted(every=every) as backward:
        gpu.gradients(grad, x, weight, seed, factors)
    return Step(forward.counts, backward.counts, forward.launches | backward.launches)


def of_dropout(sizes: Sizes) -> Counts:
    """Of Dropout + Linear, forward and backward, each operand of a product read once."""
    x = 4 * sizes.samples * sizes.connections
    mask = sizes.samples * sizes.connections  # a byte each
    moved = sizes.bytes + 2 * (2 * x + mask)
    return Counts(moved, 0.0, sizes.samples * sizes.connections, 0.0, sizes.operations)


def seconds(counts: Counts, instructions: float, chip: Chip) -> float:
    """The longest of what each kind takes."""
    moved = (counts.loaded + counts.stored) / chip.bytes
    return max(moved, counts.floating / chip.operations, instructions / chip.instructions)


def table(shapes: list[tuple[int, int]], rates: list[float], samples: int) -> str:
    """A row for each shape and rate."""
    of_part = ["MB loaded + stored", "words", "integer", "floating"]
    head = ["shape", *(f"{part}: {name}" for part in ("output", "gradients") for name in of_part), "instructions"]
    head += [f"{chip.name}, beside Dropout + Linear" for chip in CHIPS]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    compiled = listed(LISTING_S)
    lines += [_row(Sizes(samples, *shape), rate, compiled) for shape in shapes for rate in rates]
    return "\n".join(lines)


def _row(sizes: Sizes, rate: float, compiled: Mapping[tuple[str, str], tuple[float, float]]) -> str:
    step, dense = of_kernels(sizes, quantized(1.0 - rate)), of_dropout(sizes)
    instructions = step.instructions(f"bernoulli {rate:g}", compiled)
    cells = [f"{sizes.connections} x {sizes.units}, rate {rate:g}"]
    for part in (step.output, step.gradients):
        cells.append(f"{part.loaded / 1e6:.1f} + {part.stored / 1e6:.1f}")
        cells += [f"{count / sizes.factors:.2f}" for count in (part.words, part.integer, part.floating)]
    cells.append(f"{instructions:.1f}" if instructions else "not listed")
    for chip in CHIPS:
        ratio = seconds(step.counts, instructions * sizes.factors, chip) / seconds(dense, 0.0, chip)
        cells.append(f"{ratio:.1f}" if instructions else "not listed")
    return "| " + " | ".join(cells) + " |"


def shape_of(text: str) -> tuple[int, int]:
    """From connections x units."""
    sides = [int(side) if side.isdecimal() else 0 for side in text.split("x")]
    if len(sides) != 2 or min(sides) < 1:
        raise argparse.ArgumentTypeError(f"must be connections x units such as 1024x256, got {text}")
    return sides[0], sides[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", action="append", type=shape_of, metavar="IxJ", help="repeatable")
    parser.add_argument("--rate", action="append", type=float, help="drop rate, repeatable (default: 0.5 and 0.1)")
    parser.add_argument("--samples", type=int, default=SAMPLES, help=f"of a batch (default: {SAMPLES})")
    options = parser.parse_args()
    print("words, operations and instructions: a factor of the mask\n")
    print(table(options.shape or list(SHAPES), options.rate or list(RATES), options.samples))


if __name__ == "__main__":
    main()
