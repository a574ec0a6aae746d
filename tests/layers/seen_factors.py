"""The factors that the CPU kernel draws for a seed, as its outputs show them: `python -m tests.layers.seen_factors`."""

import hashlib
import json

import numpy as np

from pernodedrop.backends.cpu import threads
from pernodedrop.backends.factors import Factors, quantized

SHAPES = ((32, 70), (288, 9), (1024, 40))  # connections and units: of each tiling
FACTORS = {
    "bits": (quantized(0.9), quantized(0.5), quantized(0.3)),
    "normal numbers": (quantized(1.0, sigma=1.0), quantized(0.6, sigma=0.5)),
}


def digests() -> dict[str, str]:
    """A digest of each kind: every output is one factor, since a sample looks at one connection."""
    return {kind: _digest(sets) for kind, sets in FACTORS.items()}


def _digest(sets: tuple[Factors, ...]) -> str:
    digest, samples = hashlib.sha256(), np.arange(80)
    for connections, units in SHAPES:
        x = np.zeros((80, 1, connections), np.float32)
        x[samples, 0, samples * 13 % connections] = 1
        for factors in sets:
            digest.update(threads.product(x, np.ones((units, connections), np.float32), 7, factors).tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(json.dumps(digests()))
