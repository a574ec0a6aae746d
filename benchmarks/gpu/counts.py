"""What the exact kernels load, store, draw and compute at a shape, and what a chip needs for it at least. Needs no GPU.

    python -m benchmarks.gpu.counts [--rate 0.1] [--shape 1024x256] [--samples 128]

Triton's interpreter runs a program of each launch and counts (see `counting`). The estimate is the longest of what bytes,
single-precision operations and integer operations take at the chip's rates; bytes are counted as if no cache kept them.
Time to launch and to wait is not in it. Machine instructions are in `python -m benchmarks.gpu.listing`.
"""

import argparse
import os
from dataclasses import dataclass

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported

import torch

from benchmarks.gpu.counting import Counts, counted
from benchmarks.gpu.roof import Sizes
from pernodedrop.backends import gpu
from pernodedrop.backends.factors import Factors, quantized

SHAPES = ((1024, 256), (4096, 64), (4096, 128))  # connections, units
RATES = (0.5, 0.1)
SAMPLES = 128


@dataclass(frozen=True)
class Chip:
    """Rates a second."""

    name: str
    bytes: float
    floating: float
    integer: float


# Bandwidth and single precision: NVIDIA's data sheets of H200 SXM and A100 80GB SXM. Integers: 64 a cycle and
# multiprocessor by the CUDA C++ programming guide's table of arithmetic throughput, at the data sheets' boost clock.
CHIPS = (
    Chip("H200", 4.8e12, 67e12, 132 * 64 * 1.98e9),
    Chip("A100", 2.039e12, 19.5e12, 108 * 64 * 1.41e9),
)


def of_kernels(sizes: Sizes, factors: Factors, *, every: bool = False) -> tuple[Counts, Counts]:
    """Of the output, and of both gradients."""
    x = torch.randn(sizes.samples, 1, sizes.connections)
    weight = torch.randn(sizes.units, sizes.connections)
    grad = torch.randn(sizes.samples, 1, sizes.units)
    seed = torch.zeros(1, dtype=torch.int64)
    with counted(every=every) as so_far:
        gpu.product(x, weight, seed, factors)
    with counted(every=every) as after:
        gpu.gradients(grad, x, weight, seed, factors)
    return so_far(), after()


def of_dropout(sizes: Sizes) -> Counts:
    """Of Dropout + Linear, forward and backward, each operand of a product read once."""
    x = 4 * sizes.samples * sizes.connections
    mask = sizes.samples * sizes.connections  # a byte each
    moved = sizes.bytes + 2 * (2 * x + mask)
    return Counts(moved, 0.0, sizes.samples * sizes.connections, 0.0, sizes.operations)


def seconds(counts: Counts, chip: Chip) -> float:
    """The longest of what each kind takes."""
    moved = (counts.loaded + counts.stored) / chip.bytes
    return max(moved, counts.floating / chip.floating, counts.integer / chip.integer)


def row(sizes: Sizes, rate: float) -> str:
    forward, backward = of_kernels(sizes, quantized(1.0 - rate))
    both, dense, factors = forward + backward, of_dropout(sizes), sizes.factors
    cells = [f"{sizes.connections} x {sizes.units}, rate {rate:g}"]
    for part in (forward, backward):
        cells.append(f"{part.loaded / 1e6:.1f} + {part.stored / 1e6:.1f}")
        cells += [f"{count / factors:.2f}" for count in (part.words, part.integer, part.floating)]
    cells += [f"{seconds(both, chip) / seconds(dense, chip):.1f}" for chip in CHIPS]
    return "| " + " | ".join(cells) + " |"


def table(shapes: list[tuple[int, int]], rates: list[float], samples: int) -> str:
    of_part = ["MB loaded + stored", "words", "integer", "floating"]
    head = ["shape", *(f"{part}: {name}" for part in ("output", "gradients") for name in of_part)]
    head += [f"{chip.name}, beside Dropout + Linear" for chip in CHIPS]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    lines += [row(Sizes(samples, *shape), rate) for shape in shapes for rate in rates]
    return "\n".join(lines)


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
    print("words and operations: a factor of the mask\n")
    print(table(options.shape or list(SHAPES), options.rate or list(RATES), options.samples))


if __name__ == "__main__":
    main()
