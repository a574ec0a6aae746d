"""How often intervals of all pairwise differences miss one of them: ours beside Student's and Tukey's.

    python benchmarks/simultaneous.py --rounds 1200
    python benchmarks/simultaneous.py --first --rounds 2000       # the mean of the one that comes out first
    python benchmarks/simultaneous.py --coarse --rounds 1000      # figures of few values, such as accuracies of folds

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
import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from service.statistics import AllPairs, PairedDifference, mean_interval, paired_difference
from service.statistics.all_pairs import ALPHA

SEEDS = (3, 4, 5, 10)
FEW, MEANS = (2, 3, 5), (2, 3, 5, 10)  # seeds of coarse figures
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
    parser.add_argument("--coarse", action="store_true", help="accuracies whose standard deviation is an example")
    parser.add_argument("--first", action="store_true", help="the interval of the mean of the one that comes out first")
    options = parser.parse_args()
    if options.coarse or options.first:
        (coarse if options.coarse else first)(options.rounds)
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
    """Print how often figures of few values are told apart wrongly, and how often the intervals of their means miss."""
    print(f"of {rounds} rounds; the bounds are Wilson's, at 95 %")
    print("| examples | configurations | " + " | ".join(f"{seeds} seeds: ours, own variance" for seeds in FEW) + " |")
    for sizes in ((40,), (38, 37), (21, 20), (90, 89)):
        for count in (2, 5, 11):
            cells = [_told_apart(sizes, count, seeds, rounds) for seeds in FEW]
            print(f"| {' and '.join(map(str, sizes))} | {count} | {' | '.join(cells)} |", flush=True)
    print("a difference of 0.4 steps; ours: missed")
    for sizes in ((40,), (38, 37)):
        for count in (2, 5):
            cells = [_missed_by_steps(sizes, count, seeds, rounds) for seeds in FEW]
            print(f"| {' and '.join(map(str, sizes))} | {count} | {' | '.join(cells)} |", flush=True)
    print("| standard deviation in steps | " + " | ".join(f"{seeds} seeds: ours, without the step" for seeds in MEANS))
    for scatter in (0.2, 0.5, 1.0, 2.0):
        cells = [_means(scatter, seeds, rounds) for seeds in MEANS]
        print(f"| {scatter} | {' | '.join(cells)} |", flush=True)


def first(rounds: int) -> None:
    """Print how often the interval of the first mean holds, and how far the mean is off, of equal configurations."""
    print("| configurations | what seeds share | " + " | ".join(f"{n} seeds: holds, off by" for n in (3, 5, 10)) + " |")
    for count in (1, 2, 5, 11, 30):
        for shared in (0.0, 0.5):
            cells = []
            for seeds in (3, 5, 10):
                random, holds, off = np.random.default_rng(seeds), 0, 0.0
                for _ in range(rounds):
                    own, common = random.normal(size=(count, seeds)), random.normal(size=seeds)
                    values = math.sqrt(1 - shared) * own + math.sqrt(shared) * common
                    best = values[values.mean(axis=1).argmin()]
                    around = mean_interval(best)
                    holds, off = holds + (around.low <= 0 <= around.high), off + float(best.mean())
                cells.append(f"{100 * holds / rounds:.1f}, {off / rounds:+.2f}")
            print(f"| {count} | {shared:g} | {' | '.join(cells)} |", flush=True)


def _drawn(
    random: np.random.Generator, sizes: Sequence[int], shape: tuple[int, int], scatter: float = 1.0, shift: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracies of a shape (configurations, seeds) over folds of these sizes, and their expected values.

    The numbers of correct examples are rounded normal values. Every second configuration is ahead by `shift` examples.
    """
    examples = np.resize(sizes, shape[1])
    means = 0.94 * sizes[0] + random.uniform() + shift * (np.arange(shape[0]) % 2)
    correct = np.round(means[:, None] + scatter * random.normal(size=shape))
    whole = np.arange(int(examples.max()) + 20)
    edges = (np.append(whole - 0.5, whole[-1] + 0.5) - means[:, None]) / scatter
    expected = (whole * np.diff(special.ndtr(edges), axis=1)).sum(axis=1)
    return correct / examples, expected * (1 / examples).mean()


def _told_apart(sizes: Sequence[int], count: int, seeds: int, rounds: int) -> str:
    random, missing = np.random.default_rng(seeds), np.zeros(2, int)
    share = ALPHA / (count * (count - 1) // 2)
    for _ in range(rounds):
        values, _ = _drawn(random, sizes, (count, seeds))
        together, each = AllPairs(values), list(combinations(range(count), 2))
        missing[0] += any(misses(together.difference(i, j)) for i, j in each)
        missing[1] += any(misses(paired_difference(values[i], values[j], 1 - share)) for i, j in each)
    return f"{wilson(missing[0], rounds)}, {100 * missing[1] / rounds:.1f}"


def _missed_by_steps(sizes: Sequence[int], count: int, seeds: int, rounds: int) -> str:
    random, missing = np.random.default_rng(seeds), 0
    for _ in range(rounds):
        values, expected = _drawn(random, sizes, (count, seeds), scatter=0.5, shift=0.4)
        together = AllPairs(values)
        found = [(together.difference(i, j), expected[i] - expected[j]) for i, j in combinations(range(count), 2)]
        missing += any(not one.low <= true <= one.high for one, true in found)
    return wilson(missing, rounds)


def _means(scatter: float, seeds: int, rounds: int) -> str:
    random, missing = np.random.default_rng(seeds), np.zeros(2, int)
    for _ in range(rounds):
        (values,), (expected,) = _drawn(random, (40,), (1, seeds), scatter)
        found = [mean_interval(values, step=step) for step in (1 / 40, 0.0)]
        missing += [not one.low <= expected <= one.high for one in found]
    return f"{wilson(missing[0], rounds)}, {100 * missing[1] / rounds:.1f}"


def wilson(missed: int, rounds: int) -> str:
    """The share in per cent, with its 95 % interval (Wilson 1927)."""
    z, share = float(special.ndtri(0.975)), missed / rounds
    centre, reach = share + z**2 / 2 / rounds, z * math.sqrt(share * (1 - share) / rounds + z**2 / 4 / rounds**2)
    low, high = ((centre + sign * reach) / (1 + z**2 / rounds) for sign in (-1, 1))
    return f"{100 * share:.1f} ({100 * max(0.0, low):.1f} to {100 * high:.1f})"


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
