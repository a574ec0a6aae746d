"""Convolutions with groups of channels: the masks of all groups as one tensor, or one group after the other.

python -m benchmarks.channel_groups

Prints, for each shape, the times of a training step (forward and backward) by backend `mask`, by `kernel`, and what
`auto` chooses. Times are the least of `--rounds`, taken in turn; the ratio is what counts.
"""

import argparse
import time
from collections.abc import Callable

import torch

from pernodedrop import PerNodeDropConv2d

SHAPES = {  # samples, channels in and out, groups, side of the image
    "depthwise, large maps": (32, 64, 64, 64, 32),
    "depthwise, small maps": (32, 512, 512, 512, 4),
    "ResNeXt, large maps": (16, 128, 128, 32, 14),
    "ResNeXt, small maps": (16, 512, 512, 32, 7),
    "2 groups, large maps": (16, 64, 64, 2, 16),
    "2 groups, small maps": (16, 256, 256, 2, 7),
    "8 groups, smallest maps": (16, 512, 512, 8, 2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stir-type", default="bernoulli")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{'':24} {'mask ms':>9} {'kernel ms':>9} {'kernel/mask':>11}  auto")
    for name, (samples, channels, units, groups, side) in SHAPES.items():
        x = torch.randn(samples, channels, side, side, requires_grad=True)
        layers = {
            backend: PerNodeDropConv2d(
                channels, units, 3, padding=1, groups=groups, stir_type=options.stir_type, backend=backend
            )
            for backend in ("mask", "kernel", "auto")
        }
        layers["auto"](x)
        mask, kernel = _least([_step(layers[backend], x) for backend in ("mask", "kernel")], options.rounds)
        print(f"{name:24} {mask:9.1f} {kernel:9.1f} {kernel / mask:11.1f}  {layers['auto'].backend_used}", flush=True)


def _step(layer: PerNodeDropConv2d, x: torch.Tensor) -> Callable[[], None]:
    return lambda: layer(x).sum().backward()


def _least(steps: list[Callable[[], None]], rounds: int) -> list[float]:
    """Milliseconds of each."""
    found = [float("inf")] * len(steps)
    for step in steps:
        step()
    for _ in range(rounds):
        for place, step in enumerate(steps):
            begun = time.perf_counter()
            step()
            found[place] = min(found[place], 1e3 * (time.perf_counter() - begun))
    return found


if __name__ == "__main__":
    main()
