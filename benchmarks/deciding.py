"""How often a confirmation that goes on until it is decided errs, and what it costs.

    python benchmarks/deciding.py --rounds 1000          # every table of docs/statistics.md
    python benchmarks/deciding.py --rounds 500 costs     # one of them: errors, costs, extended, zone, rounds, shares

Configurations are trained under shared seeds, 5 at first and 30 at most. Standard errors are in brackets. Beside ours,
`decide`: a plain 95 % interval of each pair after every seed, a t-test that may be looked at after every seed
(`always_valid`), a number of seeds fixed beforehand, and sequential halving.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import argparse
import math
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.confirmations import (
    EQUALS,
    Fate,
    Floats,
    always_valid,
    best_is_dropped,
    diverging,
    drawn,
    every_seed,
    first_has,
    fixed_seeds,
    halved,
    normal,
    ours,
    plain,
    two_ahead,
)
from service.statistics import Outcome, spending
from service.statistics.all_pairs import ALPHA

ALL = (2, 5, 11, 50)  # configurations
GAPS = (0, 0.2, 0.5, 1, 2)
ALIKE = EQUALS["all alike"]


def share(of: Floats | list[bool]) -> str:
    """Per cent, with the standard error."""
    return f"{100 * np.mean(of):.1f} ({100 * np.std(of) / math.sqrt(len(of)):.1f})"


def average(of: list[int]) -> str:
    return f"{np.mean(of):.0f} ({np.std(of) / math.sqrt(len(of)):.1f})"


def named(fates: list[Fate]) -> str:
    return share([one.outcome is Outcome.WINNER for one in fates])


def dropped(fates: list[Fate], count: int) -> str:
    """How often one of the first so many is dropped: the one that the first half of the studies drops most often."""
    left = np.array([np.isin(np.arange(count), one.left) for one in fates])
    half = len(left) // 2
    return share(1.0 - left[half:, left[:half].mean(axis=0).argmin()])


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*names: str) -> None:
    print()
    row(*names)
    row(*["---"] * len(names))


def errors(rounds: int) -> None:
    """Where configurations are equal, whoever is named is wrong, and whoever is dropped is one of the best."""
    head("equal configurations", "number", "winner named", "one is dropped", "always valid: both", "plain: both")
    for name, draw in EQUALS.items():
        for count in ALL[draw in (two_ahead, diverging) :]:
            print(name, count, file=sys.stderr, flush=True)
            few = rounds if count < 50 else rounds // 4
            mine = [ours(costs) for costs in drawn(draw, count, few)]
            best = 2 if draw is two_ahead else count - 1 if draw is diverging else count
            beside = ["", ""]
            if count <= 11 and draw is not diverging:
                for place, reach in enumerate((always_valid, plain)):
                    fates = [every_seed(costs, reach) for costs in drawn(draw, count, rounds // 4)]
                    beside[place] = f"{named(fates)}, {dropped(fates, best)}"
            row(name, count, named(mine), dropped(mine, best), *beside)


def costs_of(rounds: int) -> None:
    """One ahead of all others."""
    head(
        "ahead by", "number", "named", "wrong", "trainings", "rounds", "always valid: named, trainings",
        "fixed seeds against the best, over all pairs", "halving with these trainings",
    )  # fmt: skip
    for count in ALL:
        for gain in (0.5, 1, 2, 3):
            print(count, gain, file=sys.stderr, flush=True)
            draw, few = normal(np.ones, gain), rounds if count < 50 else rounds // 4
            mine = [ours(costs) for costs in drawn(draw, count, few)]
            right = float(np.mean([one.left == [0] for one in mine]))
            trainings = [one.trainings for one in mine]
            fixed = ""
            if right > 0.01:
                claims = (ALPHA / count, ALPHA / count / (count - 1))  # against the best, and over all pairs
                seeds = [fixed_seeds(draw, count, min(right, 0.95), rounds // 4, error) for error in claims]
                fixed = ", ".join(f"{each * count} ({each})" for each in seeds)
            budget = round(float(np.mean(trainings)))
            halving = [halved(costs, budget) for costs in drawn(draw, count, few, 2 * budget)]
            beside = (
                [every_seed(costs, always_valid) for costs in drawn(draw, count, rounds // 4)] if count < 50 else []
            )
            row(
                gain, count, share([one.left == [0] for one in mine]), share([0 not in one.left for one in mine]),
                average(trainings), f"{np.mean([one.looks for one in mine]):.1f}",
                f"{named(beside)}, {average([one.trainings for one in beside])}" if beside else "",
                fixed, share(halving),
            )  # fmt: skip


def extended(rounds: int) -> None:
    """A fixed confirmation that goes on until it is decided, and an undecided one that goes on."""
    ways: dict[str, Callable[[Floats], Fate]] = {
        "30 seeds": ours,
        "5 fixed, then to 30": partial(ours, is_fixed_first=True),
        "30, then to 100": partial(ours, later=100),
    }
    head("confirmation", "number", "equal: winner named", "equal: one is dropped", "ahead by 1: named", "wrong")
    for name, way in ways.items():
        for count in ALL[:3]:
            print(name, count, file=sys.stderr, flush=True)
            equal = [way(costs) for costs in drawn(ALIKE, count, rounds, 100)]
            ahead = [way(costs) for costs in drawn(normal(np.ones, 1), count, rounds // 2, 100)]
            right, wrong = share([one.left == [0] for one in ahead]), share([0 not in one.left for one in ahead])
            row(name, count, named(equal), dropped(equal, count), right, wrong)


def zone(rounds: int) -> None:
    """A difference of a standard deviation does not matter, and 100 seeds may be spent."""
    head("ahead by", "number", "winner", "practically equal", "undecided", "wrong", "trainings")
    for count in (2, 5):
        for gain in (0, 0.5, 1.001, 1.5):
            print(count, gain, file=sys.stderr, flush=True)
            fates = [ours(costs, 100, 1) for costs in drawn(normal(np.ones, gain), count, rounds // 2, 100)]
            far = gain > 1
            wrong = [far and (0 not in one.left or one.outcome is Outcome.EQUAL) for one in fates]
            ends = (Outcome.WINNER, Outcome.EQUAL, Outcome.UNDECIDED)
            each = [share([one.outcome is end for one in fates]) for end in ends]
            row(gain, count, *each, share(wrong), average([one.trainings for one in fates]))


def rounds_of(rounds: int) -> None:
    """How rounds should grow, and how fast the error should be spent; 11 configurations, one ahead."""
    head(
        "growth", "half of the error by", "ahead by 1: named, trainings, rounds", "ahead by 2: named, trainings, rounds"
    )
    for growth, half in ((1.01, 10), (1.15, 10), (1.3, 10), (1.5, 10), (2, 10), (1.3, 3), (1.3, 30)):
        print(growth, half, file=sys.stderr, flush=True)
        spending.GROWTH, spending.HALF = growth, half
        cells = []
        for gain in (1, 2):
            fates = [ours(costs) for costs in drawn(normal(np.ones, gain), 11, rounds // 4)]
            trainings, made = average([one.trainings for one in fates]), np.mean([one.looks for one in fates])
            cells.append(f"{named(fates)}, {trainings}, {made:.1f}")
        row(growth, half, *cells)


def shares(rounds: int) -> None:
    """What it costs that k is of those left: how often the best is dropped, with a second one that is as good."""
    head("standard deviations", "number", *(f"behind by {gap}: left, all" for gap in GAPS))
    for name, deviations in {
        "all alike": np.ones,
        "the best's 4 times the others'": first_has(4),
        "the others' 4 times the two's": lambda count: np.r_[1, 1, np.full(count - 2, 4)],
        "the best's 10 times the others'": first_has(10),
    }.items():
        for count in ALL[1:3]:
            print(name, count, file=sys.stderr, flush=True)
            row(
                name,
                count,
                *(
                    f"{share(best_is_dropped(deviations(count), gap, 10 * rounds, False))}, "
                    f"{share(best_is_dropped(deviations(count), gap, 10 * rounds, True))}"
                    for gap in GAPS
                ),
            )


TABLES = {
    "errors": errors,
    "costs": costs_of,
    "extended": extended,
    "zone": zone,
    "rounds": rounds_of,
    "shares": shares,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", choices=[*TABLES, []], help="all of them, if none is named")
    parser.add_argument(
        "--rounds", type=int, default=1000, help="simulations of a cell; a part of them where they last"
    )
    options = parser.parse_args()
    for name in options.tables or TABLES:
        TABLES[name](options.rounds)


if __name__ == "__main__":
    main()
