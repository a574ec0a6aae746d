"""A stub of the sequential decision, until the true one is merged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy import stats

ALPHA = 0.01  # of one pair at one look


class Outcome(StrEnum):
    OPEN = "open"
    WINNER = "winner"
    EQUAL = "practically equal"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Rules:
    most: int  # seeds
    indifference: float = 0.0
    fixed_looks: int = 0


@dataclass(frozen=True)
class Bound:
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Round:
    seeds: int
    compared: tuple[int, ...]
    dropped: tuple[int, ...]
    diverged: tuple[int, ...]
    bounds: Mapping[int, Bound] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    outcome: Outcome
    left: tuple[int, ...]
    rounds: tuple[Round, ...]


def next_look(seeds: int, most: int) -> int:
    return min(most, max(seeds + 1, round(seeds * 1.3)))


def decide(costs: Sequence[Sequence[float]], looks: Sequence[int], rules: Rules) -> Decision:
    left = list(range(len(costs)))
    rounds: list[Round] = []
    for seeds in looks:
        diverged = [i for i in left if not all(map(math.isfinite, costs[i][:seeds]))]
        left = [i for i in left if i not in diverged]
        compared = [i for i in left if len(costs[i]) >= seeds]
        values = {i: np.array(costs[i][:seeds]) for i in compared}
        compared.sort(key=lambda i: float(values[i].mean()))
        bounds = {i: _bound(values, i) for i in compared} if len(compared) > 1 else {}
        dropped = [i for i in compared if i in bounds and bounds[i].low > 0]
        rounds.append(Round(seeds, tuple(compared), tuple(dropped), tuple(diverged), bounds))
        joined = [i for i in left if i not in compared]
        left = [i for i in compared if i not in dropped] + joined
        if len(left) == 1:
            return Decision(Outcome.WINNER, tuple(left), tuple(rounds))
        if rules.indifference and all(bounds[i].high <= rules.indifference for i in left if i in bounds):
            return Decision(Outcome.EQUAL, tuple(left), tuple(rounds))
    ended = bool(looks) and looks[-1] >= rules.most
    return Decision(Outcome.UNDECIDED if ended else Outcome.OPEN, tuple(left), tuple(rounds))


def _bound(values: Mapping[int, np.ndarray], i: int) -> Bound:
    lows, highs, means = [], [], []
    for j, other in values.items():
        if j != i:
            d = values[i] - other
            reach = float(stats.t.ppf(1 - ALPHA, len(d) - 1)) * float(d.std(ddof=1)) / math.sqrt(len(d))
            lows.append(float(d.mean()) - reach)
            highs.append(float(d.mean()) + reach)
            means.append(float(d.mean()))
    return Bound(max(means), max(lows), max(highs))
