"""Which tile of the exact kernel is the fastest at which shape. Tiles change no factor, so any may be taken."""

from functools import partial

import torch

from benchmarks.gpu.findings import Findings
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.stopwatch import seconds_of
from pernodedrop.backends import gpu
from pernodedrop.backends.factors import quantized
from pernodedrop.backends.gpu import TILE, Tile

CUTS = ((8, 16, 4), (16, 16, 4), (16, 16, 8), (8, 32, 4), (32, 8, 4), (16, 8, 4))
SHAPES = ((128, 1024, 256), (128, 4096, 64), (1024, 4096, 64), (128, 4096, 4096))  # samples, connections, units
SMALL_CUTS, SMALL_SHAPES = CUTS[:2], ((8, 64, 16),)
RATE = 0.1
ROUNDS = 5


def try_tiles(findings: Findings, setting: Setting) -> None:
    """Forward and backward with each tile at each shape; the default comes first, and a note names the best."""
    tiles = [TILE._replace(samples=s, units=u, warps=w) for s, u, w in setting.pick(CUTS, SMALL_CUTS)]
    for shape in setting.pick(SHAPES, SMALL_SHAPES):
        samples, connections, units = shape
        column = f"{connections} x {units}, batch {samples}, rate {RATE:g}"
        x = torch.randn(samples, 1, connections, device=setting.device)
        weight = torch.randn(units, connections, device=setting.device)
        g = torch.randn(samples, 1, units, device=setting.device)
        found: dict[str, float] = {}
        for tile in dict.fromkeys((TILE, *tiles)):
            if findings.seconds_left < setting.pick(4.0, 0.0):
                findings.note(f"no time was left for the other tiles at {column}")
                break
            name = f"{tile.samples} samples x {tile.units} units, {tile.warps} warps"
            step = partial(_step, x, weight, g, tile)
            if findings.check(f"tile of {name} at {column}", step):  # compiles
                found[name] = min(seconds_of(step, setting.device) for _ in range(setting.pick(ROUNDS, 1))) * 1e3
                findings.figure("Exact kernel by its tile, forward and backward", name, column, found[name], "ms")
        if found:
            findings.note(f"the fastest tile at {column}: {min(found, key=lambda name: found[name])}")


def _step(x: torch.Tensor, weight: torch.Tensor, g: torch.Tensor, tile: Tile) -> None:
    seed = torch.zeros(1, dtype=torch.int64, device=x.device)
    factors = quantized(1.0 - RATE)
    gpu.product(x, weight, seed, factors, tile=tile)
    gpu.gradients(g, x, weight, seed, factors, tile=tile)
