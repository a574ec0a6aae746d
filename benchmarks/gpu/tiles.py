"""Which tile of the exact kernel's passes is the fastest at which shape. Tiles change no factor, so any may be taken.

The fastest are written to tiles.json, which PERNODEDROP_GPU_TILES may name: see `pernodedrop.backends.gpu.tiles`.
"""

from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.stopwatch import seconds_of
from pernodedrop.backends import gpu
from pernodedrop.backends.factors import quantized
from pernodedrop.backends.gpu.tiles import PASSES, Tile, by_rule, chip_of, key_of, write

CUTS = {  # samples, units, warps
    "product": ((16, 32, 4), (8, 64, 4), (16, 16, 2), (8, 32, 2), (32, 16, 4)),
    "gradients": ((8, 64, 4), (16, 32, 4), (4, 64, 2), (8, 32, 2), (4, 128, 4)),
}
SHAPES = ((128, 1024, 256), (128, 4096, 64), (1024, 4096, 64), (128, 4096, 4096))  # samples, connections, units
SMALL_SHAPES = ((8, 64, 16),)
SMALL_CUTS = 2  # of each pass
RATE = 0.1
ROUNDS = 5


def try_tiles(findings: Findings, setting: Setting) -> None:
    """Each pass with each tile at each shape; the rule's comes first, and a note names the best."""
    best: dict[str, Tile] = {}
    for shape in setting.pick(SHAPES, SMALL_SHAPES):
        samples, connections, units = shape
        column = f"{connections} x {units}, batch {samples}, rate {RATE:g}"
        x = torch.randn(samples, 1, connections, device=setting.device)
        weight = torch.randn(units, connections, device=setting.device)
        g = torch.randn(samples, 1, units, device=setting.device)
        for name in PASSES:
            cuts = [Tile(s, u, warps=w) for s, u, w in CUTS[name][: setting.pick(None, SMALL_CUTS)]]
            found: dict[Tile, float] = {}
            for tile in dict.fromkeys((by_rule(name, samples, units), *cuts)):
                if findings.seconds_left < setting.pick(4.0, 0.0):
                    findings.note(f"no time was left for the other tiles of {name} at {column}")
                    break
                said = f"{name}, {_said(tile)}"
                step = partial(_step, name, x, weight, g, tile)
                if findings.check(f"{said}, at {column}", step):  # compiles
                    found[tile] = min(seconds_of(step, setting.device) for _ in range(setting.pick(ROUNDS, 1)))
                    findings.figure("Exact kernel by its tile", said, column, found[tile] * 1e3, "ms")
            if found:
                fastest = min(found, key=lambda tile: found[tile])
                best[key_of(name, *shape)] = fastest
                findings.note(f"the fastest tile of {name} at {column}: {_said(fastest)}")
    write(findings.folder / "tiles.json", chip_of(setting.device), best)


def _said(tile: Tile) -> str:
    return f"{tile.samples} samples x {tile.units} units, {tile.warps} warps"


def _step(name: str, x: Tensor, weight: Tensor, g: Tensor, tile: Tile) -> None:
    seed = torch.zeros(1, dtype=torch.int64, device=x.device)
    factors = quantized(1.0 - RATE)
    if name == "product":
        gpu.product(x, weight, seed, factors, tile=tile)
    else:
        gpu.gradients(g, x, weight, seed, factors, tile=tile)
