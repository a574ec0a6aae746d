"""Where the CPU kernel's time goes: its sums alone, with their bits, and the layer around them.

    python -m benchmarks.kernel_parts [--rate 0.4] [--shape 1024x256] [--stir-type gaussian] [--without-avx512]

Each figure is the least time of one thread in ms, of 128 samples. The sums alone are those of a layer that keeps all;
gaussian noise has no such figure. Backward of the weight alone is that of a model's first layer.
"""

import argparse
import os
import time
from collections.abc import Callable

import torch

from benchmarks.layers import WITHOUT_AVX512

SAMPLES, ROUNDS = 128, 25


def least(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        call()
        times.append(time.thread_time() - began)
    return 1000 * min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=0.4, help="drop rate (default 0.4)")
    parser.add_argument("--shape", default="1024x256", help="connections x units (default 1024x256)")
    parser.add_argument(
        "--stir-type", choices=["bernoulli", "gaussian"], default="bernoulli", help="(default bernoulli)"
    )
    parser.add_argument("--without-avx512", action="store_true", help="as on a processor that has AVX2")
    options = parser.parse_args()
    if options.without_avx512:
        os.environ.update(WITHOUT_AVX512)
    torch.set_num_threads(1)
    from pernodedrop import PerNodeDropLinear  # numba reads its settings when it is imported
    from pernodedrop.backends.cpu import threads
    from pernodedrop.backends.cpu.processor import instructions
    from pernodedrop.backends.factors import Factors, quantized

    connections, units = map(int, options.shape.split("x"))
    x, grad = torch.randn(SAMPLES, connections, requires_grad=True), torch.randn(SAMPLES, units)
    layer = PerNodeDropLinear(connections, units, drop_rate=options.rate, stir_type=options.stir_type, backend="kernel")
    weight = torch.randn(units, connections).numpy()
    arrays, of_output = (x.detach()[:, None].numpy(), weight), (grad[:, None].numpy(),)
    print(f"{options.shape}, {options.stir_type}, rate {options.rate:g}, {instructions()}")
    bits = {"the sums alone": Factors(1, 0), "with their bits": quantized(1 - options.rate)}
    normals = {"with their normal numbers": quantized(1.0, sigma=1.0)}
    for name, factors in (bits if options.stir_type == "bernoulli" else normals).items():
        forward = least(lambda drawn=factors: threads.product(*arrays, 5, drawn))
        backward = least(lambda drawn=factors: threads.gradients(*of_output, *arrays, 5, drawn))
        weight_alone = least(lambda drawn=factors: threads.gradients(*of_output, *arrays, 5, drawn, of_x=False))
        print(f"{name}: forward {forward:.1f}, backward {backward:.1f}, of the weight alone {weight_alone:.1f}")
    print(f"the layer, forward and backward: {least(lambda: layer(x).backward(grad)):.1f}")


if __name__ == "__main__":
    main()
