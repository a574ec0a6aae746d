"""How many seeds a comparison takes: how often the report's intervals cover, and how often its test sees a difference.

    python benchmarks/seeds.py --rounds 2000
    python benchmarks/seeds.py --needed --rounds 300      # what the report's number of further seeds is worth

Differences between two variants under one seed are drawn from laws of known mean. Coverage is the share of 95 %
intervals that contain it. Power is the share of comparisons in which the report would say that the best variant is
better than some other one: Friedman's permutation test and Nemenyi's comparison, both at 5 %, the best variant ahead of
all others by so many standard deviations of a training's noise.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.statistics import AllPairs, Method, friedman, mean_interval, pairwise_p
from service.statistics.seeds_needed import seeds_needed

Law = Callable[[np.random.Generator, int], NDArray[np.float64]]

LAWS: Mapping[str, Law] = {  # all of mean 0
    "normal": lambda random, count: random.normal(size=count),
    "skewed (exponential)": lambda random, count: random.exponential(size=count) - 1,
    "heavy tails (t with 3 degrees of freedom)": lambda random, count: random.standard_t(3, size=count),
}
SEEDS = (3, 5, 6, 8, 10, 15, 20)
GAPS = (0.5, 1.0, 2.0)  # standard deviations of a difference
GAINS = (0.5, 1.0, 2.0, 3.0)  # standard deviations
VARIANTS = (2, 4, 8)
ALPHA = 0.05
RESAMPLES = 1_999  # of the BCa interval that stands beside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2000, help="simulations of each cell")
    parser.add_argument("--needed", action="store_true", help="confirmations that follow the report's number of seeds")
    options = parser.parse_args()
    rounds = options.rounds
    if options.needed:
        followed(rounds)
        return
    print("coverage of 95 % intervals: ours (method), BCa bootstrap; length of ours relative to BCa")
    for name, law in LAWS.items():
        for seeds in SEEDS:
            print(f"{name:44} {seeds:3} seeds  {coverage(law, seeds, rounds)}", flush=True)
    print("\nshare of comparisons that name the best variant, by its gain in standard deviations")
    for variants in VARIANTS:
        for seeds in SEEDS:
            found = "  ".join(f"{gain}: {power(variants, seeds, gain, rounds):4.0%}" for gain in (0.0, *GAINS))
            print(f"{variants} variants  {seeds:3} seeds  {found}", flush=True)


def followed(rounds: int) -> None:
    print("| configurations, seeds so far | " + " | ".join(f"{gap:g}" for gap in GAPS) + " |")
    for configurations in (2, 5):
        for seeds in (2, 3, 5, 10):
            cells = (promised(configurations, seeds, gap, rounds) for gap in GAPS)
            print(f"| {configurations}, {seeds} | {' | '.join(cells)} |", flush=True)


def promised(configurations: int, seeds: int, gap: float, rounds: int) -> str:
    """How many of those that could not tell two apart do so, and rightly, with the number that they were given.

    The median of these numbers is in brackets. The first is ahead by so many standard deviations of a difference.
    """
    random, numbers, shown = np.random.default_rng(seeds), list[float](), 0
    ahead = np.r_[gap, np.zeros(configurations - 1)][:, None]
    for _ in range(rounds):
        values = random.normal(size=(configurations, seeds)) / np.sqrt(2) - ahead
        pairs = AllPairs(values)
        first, *others = np.argsort(values.mean(axis=1)).tolist()
        level = [one for one in others if (found := pairs.difference(one, first)).low <= 0 <= found.high]
        if not level:
            continue
        lead = abs(float((values[level[0]] - values[first]).mean()))
        needed = seeds_needed(lead, float(pairs.errors[level[0], first]) * math.sqrt(seeds), configurations)
        numbers.append(math.inf if needed is None else max(needed, seeds + 1))
        if needed is not None:
            again = AllPairs(random.normal(size=(configurations, int(numbers[-1]))) / np.sqrt(2) - ahead)
            shown += first == 0 and again.difference(level[0], first).low > 0
    return f"{100 * shown / len(numbers):.0f} ({np.median(numbers):.0f})"


def coverage(law: Law, seeds: int, rounds: int) -> str:
    random = np.random.default_rng(seeds)
    ours, theirs, lengths, method = 0, 0, [], Method.STUDENT
    for _ in range(rounds):
        values = law(random, seeds)
        interval = mean_interval(values)
        method = interval.method
        bca = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, method="BCa", rng=random).confidence_interval
        ours += interval.low <= 0 <= interval.high
        theirs += bca.low <= 0 <= bca.high
        lengths.append((interval.high - interval.low) / (bca.high - bca.low))
    return f"{ours / rounds:6.1%} ({method}), {theirs / rounds:6.1%}; {np.median(lengths):.2f}"


def power(variants: int, seeds: int, gain: float, rounds: int) -> float:
    """How often the first variant is found to be better than some other one (of gain 0: than any that is worse)."""
    random = np.random.default_rng(seeds)
    ahead = np.zeros(variants)
    ahead[0] = -gain
    found = 0
    for _ in range(rounds):
        test = friedman(ahead + random.normal(size=(seeds, variants)))
        if test.p_value < ALPHA:
            best = int(np.argmin(test.mean_ranks))
            found += (best == 0 or gain == 0) and bool((pairwise_p(test.mean_ranks, seeds)[best] < ALPHA).any())
    return found / rounds


if __name__ == "__main__":
    main()
