"""Simulated confirmations, whose first configuration is one of the best, and ways to compare configurations."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from service.statistics import AllPairs, Outcome, Rules, decide, next_look
from service.statistics.all_pairs import ALPHA
from service.statistics.spending import spent

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, int], Floats]  # configurations, seeds -> costs
FIRST, MOST = 5, 30  # seeds
WIDTH = 0.5  # of the always valid test's mixture: 1 / variance of the effects that it looks for


@dataclass
class Fate:
    """What became of a confirmation."""

    left: list[int]
    trainings: int
    looks: int
    outcome: Outcome


def looks(most: int = MOST) -> list[int]:
    found = [FIRST]
    while found[-1] < most:
        found.append(next_look(found[-1], most))
    return found


def ours(costs: Floats, most: int = MOST, zone: float = 0, is_fixed_first: bool = False, later: int = 0) -> Fate:
    """Go on until it is decided; `later` is an extension to so many seeds where `most` leaves it undecided."""
    at = looks(most) + [seeds for seeds in looks(later) if seeds > most]
    trainings = before = 0
    for made, one in enumerate(decide(costs.tolist(), at, Rules(at[-1], zone, is_fixed_first)).rounds, 1):
        trainings += (len(one.compared) + len(one.diverged)) * (one.seeds - before)
        before, left = one.seeds, [each for each in one.compared if each not in one.dropped]
        if len(left) == 1:
            return Fate(left, trainings, made, Outcome.WINNER)
        if all(one.bounds[each].high <= zone for each in left):
            return Fate(left, trainings, made, Outcome.EQUAL)
    return Fate(left, trainings, made, Outcome.UNDECIDED)


def every_seed(costs: Floats, reaches: Callable[[Floats, int], Floats]) -> Fate:
    """Look after every seed, with claims that lie so far from each pair's mean difference."""
    left = np.arange(len(costs))
    trainings = 0
    for seeds in range(FIRST, MOST + 1):
        trainings += len(left) * (FIRST if seeds == FIRST else 1)
        means = costs[left, :seeds].mean(axis=1)
        left = left[~(means[:, None] - means > reaches(costs[left, :seeds], len(costs))).any(axis=1)]
        if len(left) == 1:
            break
    outcome = Outcome.WINNER if len(left) == 1 else Outcome.UNDECIDED
    return Fate(left.tolist(), trainings, seeds - FIRST + 1, outcome)


def plain(values: Floats, _: int) -> Floats:
    """The reach of each pair's own 95 % interval; infinite on the diagonal."""
    seeds = values.shape[1]
    deviations = np.array([(row - values).std(axis=1, ddof=1) for row in values])
    np.fill_diagonal(deviations, math.inf)
    return np.asarray(-special.stdtrit(seeds - 1, 0.025) * deviations / math.sqrt(seeds))


def always_valid(values: Floats, ever: int) -> Floats:
    """The reach of Lai's (1976) t-test with a normal mixture of effects, as in Wang and Ramdas 2023.

    The share is Bonferroni's over all that were ever compared; the standard errors are ours.
    """
    pairs, seeds = AllPairs(values), values.shape[1]
    shrink = WIDTH / (seeds + WIDTH)
    threshold = (ever / (2 * ALPHA) / math.sqrt(shrink)) ** (2 / (pairs.freedom + 1))
    if threshold * shrink >= 1:
        return np.full_like(pairs.errors, math.inf)
    return np.asarray(pairs.errors * math.sqrt(pairs.freedom * (threshold - 1) / (1 - threshold * shrink)))


def halved(costs: Floats, trainings: int) -> bool:
    """Whether sequential halving with so many trainings names the first."""
    left, seeds = np.arange(len(costs)), 0
    rounds = math.ceil(math.log2(len(costs)))
    for _ in range(rounds):
        seeds += max(1, trainings // (rounds * len(left)))
        left = left[np.argsort(costs[left, :seeds].mean(axis=1))[: math.ceil(len(left) / 2)]]
    return bool(left[0] == 0)


def fixed_seeds(draw: Draw, count: int, chance: float, rounds: int, error: float) -> int:
    """The fewest seeds, fixed beforehand, under which one look tells the first from each other that often.

    Each claim, of one side, fails with the error.
    """
    for seeds in range(2, 200):
        told = 0
        for costs in drawn(draw, count, rounds, seeds):
            pairs = AllPairs(costs)
            reach = pairs.errors[0] * -special.stdtrit(pairs.freedom, error)
            told += bool((costs.mean(axis=1) - costs[0].mean() > reach)[1:].all())
        if told >= chance * rounds:
            return seeds
    raise ValueError(f"200 seeds do not suffice for a chance of {chance}")


def best_is_dropped(deviations: Floats, gap: float, studies: int, is_strict: bool) -> Floats:
    """Whether the best is dropped in each study, if the variances are known.

    The second is as good, the others are worse by the gap. Each has the share of those at the look, or, if it is
    strict, of all that began.
    """
    random, count = np.random.default_rng(0), len(deviations)
    gaps = np.r_[0, 0, np.full(count - 2, gap)]
    sums, left, before = np.zeros((studies, count)), np.ones((studies, count), bool), 0
    for seeds in looks():
        sums += gaps * (seeds - before) + deviations * math.sqrt(seeds - before) * random.normal(size=sums.shape)
        sharing = np.full(studies, count) if is_strict else left.sum(axis=1)
        reach = -special.ndtri(ALPHA * (spent(seeds) - spent(before)) / sharing)[:, None, None]
        errors = np.sqrt(np.add.outer(deviations**2, deviations**2) * seeds)
        is_worse = sums[:, :, None] - sums[:, None, :] > reach * errors
        left &= ~(is_worse & left[:, None, :]).any(axis=2)
        before = seeds
    return 1.0 - left[:, 0]


def drawn(draw: Draw, configurations: int, rounds: int, seeds: int = MOST) -> Iterator[Floats]:
    random = np.random.default_rng(configurations)
    return (draw(random, configurations, seeds) for _ in range(rounds))


def normal(scatter: Callable[[int], Floats], ahead: float = 0) -> Draw:
    def draw(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
        costs = random.normal(size=(configurations, seeds)) * scatter(configurations)[:, None]
        costs[0] -= ahead
        return costs

    return draw


def first_has(factor: float) -> Callable[[int], Floats]:
    return lambda configurations: np.r_[factor, np.ones(configurations - 1)]


def heavy(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    return random.standard_t(3, size=(configurations, seeds))


def skewed(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    return random.exponential(size=(configurations, seeds))


def one_skewed(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    """The first is exponential and the others vary little: differences are nearly as skewed as they can be."""
    costs = 0.2 * random.normal(size=(configurations, seeds))
    costs[0] = 1 - random.exponential(size=seeds)
    return costs


def one_fails(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    """The first is better than the others but for one training in ten, which is worse by 10: the means are equal."""
    costs = random.normal(size=(configurations, seeds))
    costs[0] += 10 * (random.random(seeds) < 0.1) - 1
    return costs


def coarse(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    """Few different figures, as of an accuracy over few inputs: some pairs differ by the same under every seed."""
    return np.round(random.normal(size=(configurations, seeds)))


def two_ahead(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    """The first two are equal. The others are dropped soon, so that the two have a large share of the error."""
    costs = random.normal(size=(configurations, seeds))
    costs[2:] += 1.5
    return costs


def diverging(random: np.random.Generator, configurations: int, seeds: int) -> Floats:
    """The last one's training diverges under the third seed."""
    costs = random.normal(size=(configurations, seeds))
    costs[-1, 2] = math.nan
    return costs


ALIKE = normal(np.ones)
EQUALS: dict[str, Draw] = {
    "all alike": ALIKE,
    "standard deviations from 0.5 to 2": normal(lambda configurations: np.geomspace(0.5, 2, configurations)),
    "one has 4 times the others'": normal(first_has(4)),
    "one has 10 times the others'": normal(first_has(10)),
    "heavy tails (t, 3 d.f.)": heavy,
    "skewed (exponential)": skewed,
    "coarse (rounded to a standard deviation)": coarse,
    "one skewed, the others nearly fixed": one_skewed,
    "one fails badly in a tenth of its trainings": one_fails,
    "two ahead of the others by 1.5": two_ahead,
    "one of them diverges": diverging,
}
