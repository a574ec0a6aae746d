"""How often the report's intervals of detection cover: ours beside two bootstraps and the seeds' interval alone.

    python benchmarks/detecting.py --rounds 1000

Scores are normal. What is hard about an input is the same for all trainings, a training adds noise of its own to every
input, and luck to all strange inputs at once. Two variants of one law, under the same seeds and inputs, have equal
figures, so an interval of their difference should contain 0, and one of a variant's AUROC its expectation, which is
known. Compared are:
  ours      the seeds' scatter and the covariance of two seeds over resamples of the inputs, by Student's t; an AUROC by
            its logarithmic odds
  crossed   percentiles of a bootstrap that draws seeds and, for all of them together, inputs
  nested    percentiles of a bootstrap that draws seeds and, for each of them anew, inputs
  seeds     Student's t over the seeds' figures, the inputs taken as given
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.statistics import detection, mean_interval, over_seeds_and_inputs, resampled

SEEDS = (3, 5, 10)
INPUTS = (100, 1000)
LUCK = (0.05, 0.3)  # of a training, in standard deviations of what is hard about an input
STRANGENESS = (1.0, 3.0)  # of the strange inputs: an AUROC of some 0.74 and 0.97
OWN = 0.5  # a training's noise of an input
WAYS = ("ours", "crossed", "nested", "seeds")
Floats = NDArray[np.float64]
Bounds = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000, help="simulations of each cell")
    rounds = parser.parse_args().rounds
    print(f"share of 95 % intervals that cover, in per cent: {', '.join(WAYS)}; median length of ours to crossed")
    for strangeness in STRANGENESS:
        for luck in LUCK:
            for inputs in INPUTS:
                for seeds in SEEDS:
                    cell = f"strange by {strangeness}, luck {luck}, {inputs:5} inputs, {seeds:2} seeds"
                    print(f"{cell}  {covered(strangeness, luck, inputs, seeds, rounds)}", flush=True)


def covered(strangeness: float, luck: float, inputs: int, seeds: int, rounds: int) -> str:
    random = np.random.default_rng([inputs, seeds])
    # the expectation over seeds: both sides' inputs scatter by 1 + OWN^2, the strange ones' luck is shared
    truth = float(stats.norm.cdf(strangeness / np.sqrt(2 * (1 + OWN**2) + luck**2)))
    hits = {"AUROC": np.zeros(len(WAYS)), "difference": np.zeros(len(WAYS)), "FPR difference": np.zeros(len(WAYS))}
    lengths = []
    for _ in range(rounds):
        hard, hard_out = random.normal(size=(2, inputs))
        scores = [
            [
                (hard + OWN * random.normal(size=inputs), hard_out + shift + OWN * random.normal(size=inputs))
                for shift in strangeness + luck * random.normal(size=seeds)
            ]
            for _ in range(2)
        ]
        counts = (resampled(inputs, int(random.integers(1 << 30))) for _ in range(2))
        drawn = _drawn(scores, *counts)
        for name, figure, first_alone in (("AUROC", 0, True), ("difference", 0, False), ("FPR difference", 1, False)):
            table = drawn[figure][0] if first_alone else drawn[figure][0] - drawn[figure][1]
            found = intervals(table, random, is_share=first_alone)
            expected = truth if first_alone else 0.0
            hits[name] += [low <= expected <= high for low, high in found]
            if name == "difference":
                (low, high), (other_low, other_high), *_ = found
                lengths.append((high - low) / (other_high - other_low))
    said = "; ".join(f"{name} {', '.join(f'{100 * h / rounds:.1f}' for h in hit)}" for name, hit in hits.items())
    return f"{said}; {np.median(lengths):.2f}"


def _drawn(scores: Sequence[Sequence[tuple[Floats, Floats]]], counts: Floats, counts_out: Floats) -> list[list[Floats]]:
    """AUROC and false positive rate of each variant (resamples + 1, seeds)."""
    found = [[detection(i, o, counts, counts_out) for i, o in variant] for variant in scores]
    return [
        [np.stack([getattr(seed, name) for seed in variant], axis=1) for variant in found] for name in ("auroc", "fpr")
    ]


def intervals(table: Floats, random: np.random.Generator, *, is_share: bool) -> list[Bounds]:
    """By every way, from the figures of the sample and of its resamples (resamples + 1, seeds)."""
    ours = over_seeds_and_inputs(table)
    ours = ours.of_share if is_share else ours
    resamples, seeds = len(table) - 1, table.shape[1]
    which = random.integers(0, seeds, size=(resamples, seeds))
    crossed = np.take_along_axis(table[1:], which, axis=1).mean(axis=1)
    # of each drawn seed another resample, so that inputs are drawn anew for every seed
    rows = random.integers(1, resamples + 1, size=(resamples, seeds))
    nested = table[rows, which].mean(axis=1)
    alone = mean_interval(table[0])
    tails = ([2.5, 97.5],)
    return [
        (ours.low, ours.high),
        tuple(np.percentile(crossed, *tails)),
        tuple(np.percentile(nested, *tails)),
        (alone.low, alone.high),
    ]


if __name__ == "__main__":
    main()
