"""What the Triton kernels cost by their machine code: instructions, registers and spills. Needs no GPU.

    python -m benchmarks.gpu.listing [--arch 90] [--tile 8x16x4 --tile 16x16x4]

Tiles are those of the kernels for normal factors and for masks that change over time; the others choose theirs.
Triton's compiler and NVIDIA's disassembler, both of Triton's wheel, make the listing for any chip of NVIDIA's.
Counted are the instructions of the longest loop, a warp's for 32 threads, per factor that the loop draws; where a
sample's positions share their mask, per factor and position. Where masks change over time it is the loop over groups or
units: those over the positions lie in it, and count once. A branch that is taken once in 65,536 factors is counted
as if it always were, and so is the loop over ties, which is entered once in five tiles or less. What lies outside the
loop is counted too, per factor of one tile: a program pays it once.
"""

import argparse
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ.pop("TRITON_INTERPRET", None)  # machine code is asked for, whatever runs

import triton

from pernodedrop.backends.gpu import bernoulli, chain, shared, single
from pernodedrop.backends.gpu.factors import GROUP
from pernodedrop.backends.gpu.passes import DIGITS, TIES
from pernodedrop.backends.gpu.tiles import PASSES, TILE, Tile, by_rule

KERNELS = ("product", "gradient_x", "gradient_weight")
LAWS = {  # calls of Philox, whether factors are normal
    "bernoulli 0.5": (1, False),
    "bernoulli 0.1": (4, False),
    "bernoulli 0.01": (8, False),
    "gaussian": (0, True),
}
DRAWN = {  # by `bernoulli`: digits that are drawn for all, calls for ties
    "bernoulli 0.5": (1, 0),
    "bernoulli 0.1": (DIGITS, TIES),
}
CHAINS = {  # calls for the first position, for copies, for fresh draws
    "bernoulli 0.4, rho 0.9": (4, 4, 4),
    "bernoulli 0.5, rho -0.5": (8, 1, 1),
}
_TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
# arguments that nobody promises to be multiples of 16
_ALIGNED = ("samples", "positions", "each", "keep", "copies", "fresh", "flip", "rows", "splits", "tiles")


@dataclass(frozen=True)
class Listing:
    """One kernel, compiled."""

    kernel: str
    law: str
    tile: str
    instructions: float  # per factor (and position) of the longest loop
    once: float  # per factor of a tile, outside that loop
    registers: int  # of a thread
    spilled: int  # bytes of a thread's registers that go through memory


def listings(arch: int, tiles: Sequence[Tile], laws: Sequence[str], *, only_single: bool) -> Iterator[Listing]:
    """Every kernel, or those for one position a sample, under every law and tile."""
    for law in laws:
        if law in DRAWN:
            digits, ties = DRAWN[law]
            for name in PASSES:
                tile = by_rule(name, 128, 256)
                constants = {"DIGITS": digits, "TIES": ties, "SAMPLES": tile.samples, "UNITS": tile.units}
                size = f"{tile.samples} samples x {tile.units} units, {tile.warps} warps"
                yield _listing(bernoulli, name, (law, size), constants, (tile.warps, arch))
    for tile in tiles:
        for law in laws:
            calls, is_normal = LAWS[law]
            drawn = {"CALLS": calls, "NORMAL": is_normal}
            for name in KERNELS:
                if is_normal:
                    cut = {"SAMPLES": tile.samples, "UNITS": tile.units}
                    size = f"{tile.samples} samples x {tile.units} units, {tile.warps} warps"
                    yield _listing(single, name, (law, size), {**drawn, **cut}, (tile.warps, arch))
                for positions in () if only_single else (16, 64):
                    cut = {"POSITIONS": positions, "UNITS": tile.shared_units}
                    size = f"{positions} positions x {tile.shared_units} units, {tile.warps} warps"
                    yield _listing(shared, name, (law, size), {**drawn, **cut}, (tile.warps, arch))
        for law, (calls, copy, fresh) in ({} if only_single else CHAINS).items():
            constants = {"CALLS": calls, "COPY": copy, "FRESH": fresh, "SAMPLES": tile.samples, "UNITS": tile.units}
            size = f"{tile.samples} samples x {tile.units} units, {tile.warps} warps"
            for name in KERNELS:
                yield _listing(chain, name, (law, size), constants, (tile.warps, arch))


def _listing(
    module: ModuleType, name: str, case: tuple[str, str], constants: dict[str, Any], target: tuple[int, int]
) -> Listing:
    binary = _compiled(getattr(module, name), constants, *target)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(binary)
        file.flush()
        code = _run("nvdisasm", "-c", file.name)
        usage = _run("cuobjdump", "-res-usage", file.name)
    registers, stack = (int(re.findall(rf"{word}:(\d+)", usage)[-1]) for word in ("REG", "STACK"))
    rows = constants.get("SAMPLES") or constants["POSITIONS"]
    factors = GROUP * rows * constants["UNITS"]
    label = f"{module.__name__.rpartition('.')[2]} {name}"
    whole, looped = _instructions(code, inner=module is bernoulli and name == "gradients")
    each = 32 * target[0] / factors
    return Listing(label, *case, looped * each, (whole - looped) * each, registers, stack)


def _compiled(kernel: Any, constants: dict[str, Any], warps: int, arch: int) -> bytes:
    """The machine code for sizes that are multiples of 16, single precision."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    def kind(name: str) -> str:
        if name == "seed":
            return "*i64"
        if name in constants:
            return "constexpr"
        if name == "sigma":
            return "fp32"
        return "i32" if name in (*_ALIGNED, "connections", "units") else "*fp32"

    names: list[str] = kernel.arg_names
    signature = {name: kind(name) for name in names}
    promised = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(names)
        if kind(name) not in ("constexpr", "fp32") and name not in _ALIGNED
    }
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants, attrs=promised)
    options = {"num_warps": warps, "enable_fp_fusion": True}
    return bytes(triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options).asm["cubin"])


def _instructions(code: str, *, inner: bool) -> tuple[int, int]:
    """All, and those of the longest loop: between the target of a backward branch and the branch.

    `inner`: of the longest loop inside of that one, over tiles of samples.
    """
    places: dict[str, int] = {}
    loops: list[int] = []
    count = 0
    for line in code.splitlines():
        text = line.strip()
        if label := re.fullmatch(r"(\.L_\w+):", text):
            places[label[1]] = count
        elif instruction := re.match(r"/\*[0-9a-f]+\*/\s+(.*?);", text):
            count += 1
            target = re.search(r"\bBRA\b.*?(\.L_\w+)", instruction[1])
            if target and target[1] in places:
                loops.append(count - places[target[1]])
    return count, sorted((0, 0, *loops))[-2 if inner else -1]


def _run(tool: str, *arguments: str) -> str:
    return subprocess.run([_TOOLS / tool, *arguments], capture_output=True, text=True, check=True).stdout


def _tile(text: str) -> Tile:
    """From samples x units x warps, powers of 2, since Triton's tiles are of no other size."""
    sides = [int(side) if side.isdecimal() else 0 for side in text.split("x")]
    if len(sides) != 3 or any(side < 1 or side & (side - 1) for side in sides):
        raise argparse.ArgumentTypeError(f"must be three powers of 2 such as 8x16x4, got {text}")
    return TILE._replace(samples=sides[0], units=sides[1], warps=sides[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", type=int, default=90, help="compute capability times ten (default: 90, Hopper)")
    parser.add_argument(
        "--tile", action="append", type=_tile, metavar="SxUxW", help="samples x units x warps; repeatable"
    )
    parser.add_argument("--law", action="append", choices=list(LAWS), help="repeatable (default: all)")
    parser.add_argument("--single", action="store_true", help="only the kernels for one position a sample")
    options = parser.parse_args()
    tiles = options.tile or [TILE]
    print(f"sm_{options.arch}, Triton {triton.__version__}\n")
    print("| kernel | law | tile | instructions a factor | once | registers | bytes spilled |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for row in listings(options.arch, tiles, options.law or tuple(LAWS), only_single=options.single):
        figures = f"{row.instructions:.1f} | {row.once:.1f} | {row.registers} | {row.spilled}"
        print(f"| {row.kernel} | {row.law} | {row.tile} | {figures} |")


if __name__ == "__main__":
    main()
