"""A confirmation that goes on until it is decided: who is dropped at each look, and why it ends.

Configurations are compared with the best of the others (Hsu 1984, Annals of Statistics 12, 1136) by their differences
under shared seeds. A look claims, for every pair (i, j), that the mean cost of i minus that of j is at least so much.
Let b be the truly best. Only the claims about b minus another matter: while all of them hold, b is never dropped, so
that whoever is dropped is worse than b; and if no pair of those left differs by more than the indifference zone, all of
them are within it of b. So the error of 5 % is shared by k claims at a look, not by all pairs, and by all looks
(`Budget`). docs/statistics.md has the reasons and the rates of errors, measured by benchmarks/deciding.py.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from service.statistics.coarse import Rows
from service.statistics.spending import Budget

Floats = NDArray[np.float64]


class Outcome(StrEnum):
    """What a confirmation has come to."""

    OPEN = "open"
    WINNER = "winner"
    EQUAL = "practically equal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Rules:
    """When a confirmation ends."""

    most: int  # seeds
    indifference: float = 0.0  # a difference of mean costs that does not matter, >= 0
    is_fixed_first: bool = False  # the first look was made by `AllPairs.difference`, and counts


@dataclass(frozen=True)
class Bound:
    """A configuration's mean cost minus the least of the others', constrained as in Hsu 1984.

    The bounds of all configurations at all looks hold together, in 95 % of studies. low <= difference <= high, and
    low <= 0 <= high: a `low` of 0 says that the configuration is not the best, and a `high` of 0 that it is. Under one
    seed they are infinite.
    """

    difference: float  # observed
    low: float
    high: float


@dataclass(frozen=True)
class Round:
    """One look, after so many seeds."""

    seeds: int
    compared: tuple[int, ...]  # the configurations with finite costs, best mean first
    dropped: tuple[int, ...]  # of those compared: certainly worse than another
    diverged: tuple[int, ...]  # a cost is not finite: dropped too
    bounds: Mapping[int, Bound]  # of those compared; none where one stands alone


@dataclass(frozen=True)
class Decision:
    """What the looks so far say."""

    outcome: Outcome
    left: tuple[int, ...]  # who may be the best: best mean first, then those that no look has compared yet
    rounds: tuple[Round, ...]


def decide(costs: Sequence[Sequence[float]], looks: Sequence[int], rules: Rules) -> Decision:
    """Replay every look at the costs (less is better) of each configuration under the shared seeds, in their order.

    Rows may be of different lengths. One that is too short for a look is not compared there: either it joins later, or
    it had been compared before, and then it is out, as after a failed training. One that has failed before any look
    must be left out by the caller, because it would be waited for. `looks` are numbers of seeds, ascending. The outcome
    is that of the last look; without looks it is open, and if every configuration has diverged it is undecided.

    Raises:
        ValueError: looks that do not ascend, or rules out of range.
    """
    _check(looks, rules)
    rows = [np.asarray(row, dtype=np.float64) for row in costs]
    left, waiting = list[int](), list(range(len(rows)))
    budget, rounds = Budget(), list[Round]()
    for index, seeds in enumerate(looks):
        present = {one: rows[one][:seeds] for one in sorted(left + waiting) if len(rows[one]) >= seeds}
        waiting = [one for one in waiting if one not in present]
        others: Rows = [row[:seeds].tolist() for one, row in enumerate(rows) if one not in present]
        rounds.append(_look(present, others, seeds, budget, rules.is_fixed_first and index == 0))
        left = [one for one in rounds[-1].compared if one not in rounds[-1].dropped]
    outcome = _outcome(left, waiting, rounds, rules)
    return Decision(outcome, (*left, *waiting), tuple(rounds))


def _check(looks: Sequence[int], rules: Rules) -> None:
    if any(later <= earlier for earlier, later in zip((0, *looks), looks, strict=False)):
        raise ValueError(f"looks must be ascending numbers of seeds, got {list(looks)}")
    if rules.most < 1 or not 0 <= rules.indifference < np.inf:
        raise ValueError(f"most must be at least 1, indifference finite and not negative, got {rules}")


def _outcome(left: list[int], waiting: list[int], rounds: list[Round], rules: Rules) -> Outcome:
    if rounds and not waiting:
        if len(left) < 2:
            return Outcome.WINNER if left else Outcome.UNDECIDED
        if all(rounds[-1].bounds[one].high <= rules.indifference for one in left):
            return Outcome.EQUAL
    return Outcome.UNDECIDED if rounds and rounds[-1].seeds >= rules.most else Outcome.OPEN


def _look(present: Mapping[int, Floats], others: Rows, seeds: int, budget: Budget, is_fixed: bool) -> Round:
    means = {one: float(costs.mean()) for one, costs in present.items() if np.isfinite(costs).all()}
    compared = tuple(sorted(means, key=lambda one: (means[one], one)))
    claims = budget.claims(np.array([present[one] for one in compared]).reshape(-1, seeds), is_fixed, others)
    is_worse = np.any(claims > 0, axis=1)
    return Round(
        seeds=seeds,
        compared=compared,
        dropped=tuple(one for one, worse in zip(compared, is_worse, strict=True) if worse),
        diverged=tuple(one for one in present if one not in means),
        bounds=dict(zip(compared, _bounds(np.array([means[one] for one in compared]), claims), strict=False)),
    )


def _bounds(means: Floats, claims: Floats) -> Iterator[Bound]:
    """Each configuration's, least mean first; none if there is but one."""
    if len(means) < 2:
        return
    oneself, is_worse = np.eye(len(means), dtype=bool), np.any(claims > 0, axis=1)
    lows = np.where(oneself, -math.inf, claims).max(axis=1)
    highs = np.where(oneself | is_worse[:, None], -math.inf, -claims).max(axis=0)
    best_others = np.where(oneself[0], means[1], means[0])
    for difference, low, high in zip(means - best_others, lows, highs, strict=True):
        yield Bound(float(difference), min(0.0, float(low)), max(0.0, float(high)))
