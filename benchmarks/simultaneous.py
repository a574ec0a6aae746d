"""How often intervals of all pairwise differences miss one of them: ours beside Tukey's with a pooled scatter.

    python benchmarks/simultaneous.py --rounds 1200

Configurations of equal means are trained under shared seeds. Ours is Student's t of each pair's differences with
Bonferroni's share of 5 % (`service.reports.confirmed`); Tukey's is the studentized range with one scatter of all
configurations, seeds taken out. Both should miss in at most 5 % of the rounds, however unequally they scatter.
"""

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy import stats

ALPHA = 0.05
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
    pairs = np.triu_indices(count, 1)
    students = stats.t.ppf(1 - ALPHA / len(pairs[0]) / 2, seeds - 1)
    tukeys = stats.studentized_range.ppf(1 - ALPHA, count, (count - 1) * (seeds - 1))
    theirs = ours = 0
    wider = []
    for _ in range(rounds):
        values = random.normal(size=(seeds, count)) * scatter + random.normal(size=(seeds, 1))
        rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
        reach = tukeys * np.sqrt((rest**2).sum() / ((count - 1) * (seeds - 1)) / seeds)
        differences = (values[:, :, None] - values[:, None, :])[:, *pairs]
        own = students * differences.std(axis=0, ddof=1) / np.sqrt(seeds)
        means = np.abs(differences.mean(axis=0))
        theirs += bool((means > reach).any())
        ours += bool((means > own).any())
        wider.append(own.mean() / reach)
    return f"{theirs / rounds:6.1%}, {ours / rounds:6.1%}; {np.median(wider):.1f}"


if __name__ == "__main__":
    main()
