"""How large a piece a program of the GPU's kernels computes at once. It changes the speed and the rounding, no factor.

For `bernoulli` the sizes choose it, by a rule that is the same on every chip. A file may know better: `make gpu-check`
tries tiles on the chip that it finds and writes the fastest of each shape. PERNODEDROP_GPU_TILES names the file.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
import triton

FILE = "PERNODEDROP_GPU_TILES"


class Tile(NamedTuple):
    """Per group of connections; every side is a power of 2."""

    samples: int = 8  # where every sample has one position, or its factors change over time; else one at a time
    units: int = 16  # at least 4
    shared_units: int = 32  # where the positions of a sample share its mask
    warps: int = 4


TILE = Tile()
PASSES = ("product", "gradients")  # of `bernoulli`
_LEAST_UNITS = 16
_PAIRS = 512  # of sample and unit in a tile of `bernoulli`: a call of Philox for each of 128 threads
_PRODUCT_UNITS, _GRADIENTS_UNITS = 32, 64


def tile_of(name: str, samples: int, connections: int, units: int, device: torch.device) -> Tile:
    """The tile of a pass: the file's for this chip and exactly these sizes, else the rule's.

    Raises:
        ValueError: PERNODEDROP_GPU_TILES names a file that cannot be read or holds something else.
    """
    path = os.environ.get(FILE, "")
    found = _kept(path, chip_of(device)).get(key_of(name, samples, connections, units)) if path else None
    return found or by_rule(name, samples, units)


def by_rule(name: str, samples: int, units: int) -> Tile:
    """The tile of a pass by the sizes alone."""
    most = _GRADIENTS_UNITS if name == "gradients" or samples <= _PAIRS // _GRADIENTS_UNITS else _PRODUCT_UNITS
    side = min(max(triton.next_power_of_2(units), _LEAST_UNITS), most)
    return Tile(_PAIRS // side, side)


def chip_of(device: torch.device) -> str:
    """The chip's name, as the file has it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def key_of(name: str, samples: int, connections: int, units: int) -> str:
    """A pass and its sizes, as the file has them."""
    return f"{name} {samples}x{connections}x{units}"


def write(path: Path, chip: str, tiles: dict[str, Tile]) -> None:
    """Add a chip's tiles, by their keys, to the file, in place of those that it has for them."""
    content = json.loads(path.read_text()) if path.exists() else {}
    content[chip] = content.get(chip, {}) | {key: [t.samples, t.units, t.warps] for key, t in tiles.items()}
    path.write_text(json.dumps(content, indent=1) + "\n")
    _kept.cache_clear()


@cache
def _kept(path: str, chip: str) -> dict[str, Tile]:
    """The file's tiles of a chip; read once."""
    remedy = "write it anew with `make gpu-check PARTS=layers`, or unset the variable"
    try:
        sides = json.loads(Path(path).read_text()).get(chip, {})
        return {key: _checked(*three) for key, three in sides.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{FILE} must name a file of tiles, {path} is none ({error}): {remedy}") from None


def _checked(samples: int, units: int, warps: int) -> Tile:
    if any(not isinstance(side, int) or side < 1 or side & (side - 1) for side in (samples, units, warps)) or units < 4:
        raise ValueError(f"[{samples}, {units}, {warps}] are not three powers of 2, the second at least 4")
    return Tile(samples, units, warps=warps)
