"""How often intervals of all pairwise differences miss one of them: ours beside Tukey's with a pooled scatter.

    python benchmarks/simultaneous.py --rounds 1200

Configurations of equal means are trained under shared seeds. Ours is Student's t of each pair's differences with
Bonferroni's share of 5 % (`service.reports.confirmed`); Tukey's is the studentized range with one scatter of all
configurations, seeds taken out. Both should miss in at most 5 % of the rounds, however unequally they scatter.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.reports.confirmed import ALPHA
from service.reports.statistics import paired_difference

SEEDS = (3, 5, 10)


def scatters(count: int) -> dict[str, NDArray[np.float64]]:
    """Standard deviations of so many configurations."""
    return {
        "all alike": np.ones(count),
        "from 0.5 to 2": np.geomspace(0.5, 2, count),
        "one has 4 times the others'": np.r_[np.ones(count - 1), 4],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1200, help="simulations of each cell")
    parser.add_argument("--configurations", type=int, default=11)
    options = parser.parse_args()
    print("missed: Tukey's, ours; ours wider by the factor")
    for name, scatter in scatters(options.configurations).items():
        for seeds in SEEDS:
            print(f"{name:28} {seeds:3} seeds  {missed(scatter, seeds, options.rounds)}", flush=True)


def missed(scatter: NDArray[np.float64], seeds: int, rounds: int) -> str:
    random = np.random.default_rng(seeds)
    count = len(scatter)
    pairs = list(combinations(range(count), 2))
    freedom = (count - 1) * (seeds - 1)
    tukeys = stats.studentized_range.ppf(1 - ALPHA, count, freedom)
    theirs = ours = 0
    wider = []
    for _ in range(rounds):
        values = random.normal(size=(seeds, count)) * scatter + random.normal(size=(seeds, 1))
        rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
        reach = tukeys * np.sqrt((rest**2).sum() / freedom / seeds)
        own = [paired_difference(values[:, i], values[:, j], 1 - ALPHA / len(pairs)) for i, j in pairs]
        theirs += any(abs(difference.mean) > reach for difference in own)
        ours += any(not difference.low <= 0 <= difference.high for difference in own)
        wider.append(np.mean([difference.high - difference.low for difference in own]) / 2 / reach)
    return f"{theirs / rounds:6.1%}, {ours / rounds:6.1%}; {np.median(wider):.1f}"


if __name__ == "__main__":
    main()
