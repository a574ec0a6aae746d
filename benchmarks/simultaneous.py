"""How often intervals of all pairwise differences miss one of them: ours beside Student's and Tukey's.

    python benchmarks/simultaneous.py --rounds 1200
    python benchmarks/simultaneous.py --coarse --rounds 1000      # figures of few values, such as accuracies

Configurations of equal means are trained under shared seeds. Student's is the t interval of each pair's differences
with Bonferroni's share of 5 %, ours the same with moderated variances (`service.statistics.AllPairs`), Tukey's
the studentized range with one scatter of all configurations, seeds taken out. All should miss in at most 5 % of the
rounds, however unequally configurations scatter. A second table has one configuration ahead of all others by so many
standard deviations of a training's noise, and says how often it is told from one of them at least, and from each.
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

from service.statistics import AllPairs, PairedDifference, paired_difference
from service.statistics.all_pairs import ALPHA

SEEDS = (3, 4, 5, 10)
GAINS = (1, 2, 3, 5)  # standard deviations


def scatters(count: int) -> dict[str, NDArray[np.float64]]:
    """Standard deviations of so many configurations."""
    return {
        "all alike": np.ones(count),
        "from 0.5 to 2": np.geomspace(0.5, 2, count),
        "one has 4 times the others'": np.r_[np.ones(count - 1), 4],
        "one has 10 times the others'": np.r_[np.ones(count - 1), 10],
        "two have a tenth of the others'": np.r_[np.ones(count - 2), 0.1, 0.1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1200, help="simulations of each cell")
    parser.add_argument("--configurations", type=int, default=11)
    parser.add_argument("--coarse", action="store_true", help="figures that are rounded to a standard deviation")
    options = parser.parse_args()
    if options.coarse:
        coarse(options.rounds)
        return
    print("missed by Tukey's, Student's, ours; length to Student's of Tukey's, ours")
    for name, scatter in scatters(options.configurations).items():
        for seeds in SEEDS:
            print(f"{name:31} {seeds:3} seeds  {missed(scatter, seeds, options.rounds)}", flush=True)
    print("told from one other, from each: Student's; ours")
    for seeds in SEEDS:
        for gain in GAINS:
            shares = told(options.configurations, gain, seeds, options.rounds)
            print(f"{seeds:3} seeds, ahead by {gain}  {shares}", flush=True)


def coarse(rounds: int) -> None:
    print("| configurations | " + " | ".join(f"{seeds} seeds: ours, variance 0" for seeds in (2, 3, 5)) + " |")
    for count in (2, 5, 11):
        cells = []
        for seeds in (2, 3, 5):
            random, missing = np.random.default_rng(seeds), np.zeros(2)
            for _ in range(rounds):
                pairs = AllPairs(np.round(random.normal(size=(count, seeds))))
                found = [pairs.difference(i, j) for i, j in combinations(range(count), 2)]
                steady = [pairs.values[i] - pairs.values[j] for i, j in combinations(range(count), 2)]
                is_certain = [np.ptp(each) == 0 and each[0] != 0 for each in steady]
                missing += [any(map(misses, found)), any(map(misses, found)) or any(is_certain)]
            cells.append(", ".join(f"{100 * share:.1f}" for share in missing / rounds))
        print(f"| {count} | {' | '.join(cells)} |", flush=True)


def missed(scatter: NDArray[np.float64], seeds: int, rounds: int) -> str:
    random = np.random.default_rng(seeds)
    count = len(scatter)
    pairs = list(combinations(range(count), 2))
    freedom = (count - 1) * (seeds - 1)
    tukeys = stats.studentized_range.ppf(1 - ALPHA, count, freedom)
    missing, lengths = np.zeros(3), []
    for _ in range(rounds):
        values = random.normal(size=(seeds, count)) * scatter + random.normal(size=(seeds, 1))
        rest = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
        reach = tukeys * np.sqrt((rest**2).sum() / freedom / seeds)
        alone = [paired_difference(values[:, i], values[:, j], 1 - ALPHA / len(pairs)) for i, j in pairs]
        together = AllPairs(values.T)
        ours = [together.difference(i, j) for i, j in pairs]
        missing += [any(abs(one.mean) > reach for one in alone), any(map(misses, alone)), any(map(misses, ours))]
        length = np.mean([one.high - one.low for one in alone])
        lengths.append([2 * reach / length, np.mean([one.high - one.low for one in ours]) / length])
    shares = ", ".join(f"{share:6.1%}" for share in missing / rounds)
    return f"{shares}; {', '.join(f'{length:.2f}' for length in np.median(lengths, axis=0))}"


def told(count: int, gain: float, seeds: int, rounds: int) -> str:
    random = np.random.default_rng(seeds)
    pairs = count * (count - 1) // 2
    shares = np.zeros(4)
    for _ in range(rounds):
        values = random.normal(size=(count, seeds)) + random.normal(size=seeds)
        values[0] -= gain
        together = AllPairs(values)
        alone = [paired_difference(other, values[0], 1 - ALPHA / pairs).low > 0 for other in values[1:]]
        ours = [together.difference(other, 0).low > 0 for other in range(1, count)]
        shares += [any(alone), all(alone), any(ours), all(ours)]
    one, each, our_one, our_each = shares / rounds
    return f"{one:4.0%}, {each:4.0%}; {our_one:4.0%}, {our_each:4.0%}"


def misses(found: PairedDifference) -> bool:
    """Whether the difference of equal means, 0, is outside the interval."""
    return not found.low <= 0 <= found.high


if __name__ == "__main__":
    main()
