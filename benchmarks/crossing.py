"""Curves of every configuration, drawn at random: what makes early looks right, and what makes them wrong."""

import math
from collections.abc import Mapping

import numpy as np

from benchmarks.truths import NUMBERS, RATES, UNITS, Curves, key_of

LONG = 27  # epochs: three powers of three
SEEDS = 4
KINDS: Mapping[str, str] = {
    "parallel": "all learn at one speed, with little noise: the first epoch has the order of the last",
    "crossing": "the better a configuration ends, the slower it learns: at first the order is turned around",
    "slow starters": "the best variant stays where it began for a third of the epochs",
    "noisy": "every epoch has noise as large as the configurations' spread",
}
START, SPREAD = 0.5, 0.05


def curves(kind: str, seed: int) -> Curves:
    """The loss of every configuration under SEEDS seeds, epoch by epoch; every variant has an optimum of its own."""
    generator = np.random.default_rng((seed, *kind.encode()))
    level = 0.5 + SPREAD * generator.standard_normal(len(NUMBERS))
    optimum = generator.uniform(0.1, 0.7, len(NUMBERS))
    ends = {
        (variant, rate, width): level[number] + 0.3 * (rate - optimum[number]) ** 2 + 0.01 * abs(math.log2(width / 64))
        for variant, number in NUMBERS.items()
        for rate in RATES
        for width in UNITS
    }
    lowest, highest = min(ends.values()), max(ends.values())
    best_variant = min(NUMBERS, key=lambda name: level[NUMBERS[name]])
    epochs = np.arange(1, LONG + 1)
    drawn: Curves = {}
    for (variant, rate, width), end in ends.items():
        goodness = (highest - end) / (highest - lowest)  # 1 for the best
        scale = 2.0 + 7.0 * goodness if kind == "crossing" else 4.0  # epochs in which the distance falls to 1/e
        since = np.maximum(epochs - LONG / 3, 0) if kind == "slow starters" and variant == best_variant else epochs
        noise = (SPREAD if kind == "noisy" else 0.002) * generator.standard_normal((SEEDS, LONG))
        of_seed = 0.005 * generator.standard_normal((SEEDS, 1))
        drawn[key_of(variant, rate, width)] = end + START * np.exp(-since / scale) + of_seed + noise
    return drawn
