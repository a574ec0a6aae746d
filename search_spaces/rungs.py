"""Who goes on from a rung of epochs to the next: asynchronous successive halving that pauses and promotes.

The rule is Algorithm 2 of Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning" (arXiv 1810.05934).
Everything here is a function of places in the search, costs and epochs; trials, runs and workers are unknown.
"""

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache


@dataclass(frozen=True)
class Ladder:
    """The rungs of one bracket.

    Raises ValueError where a number is out of range, or where the bracket has the same rungs as the one before it.
    """

    min_epochs: int
    reduction_factor: int
    epochs: int
    bracket: int = 0  # the first rung is later by this power of the reduction factor

    def __post_init__(self) -> None:
        if self.min_epochs < 1:
            raise ValueError(f"min_epochs must be at least 1, got {self.min_epochs}")
        if self.reduction_factor < 2:
            raise ValueError(f"reduction_factor must be at least 2, got {self.reduction_factor}")
        if self.epochs < self.min_epochs:
            raise ValueError(f"min_epochs must be at most epochs ({self.epochs}), got {self.min_epochs}")
        most = most_brackets(self.min_epochs, self.reduction_factor, self.epochs)
        if not 0 <= self.bracket < most:
            raise ValueError(f"bracket must be from 0 to {most - 1} with these rungs, got {self.bracket}")

    @cached_property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which a trial is looked at, in ascending order; the last is the whole training."""
        below = []
        rung = self.min_epochs * self.reduction_factor**self.bracket
        while rung < self.epochs:
            below.append(rung)
            rung *= self.reduction_factor
        return (*below, self.epochs)

    @property
    def fewest_trials(self) -> int:
        """So many trials of the bracket are always enough for one to be trained to the end.

        Where later ones are better, fewer are.
        """
        fewest: int = self.reduction_factor ** (len(self.rungs) - 1)
        return fewest

    def after(self, rung: int) -> int | None:
        """The rung that follows one, or the first after 0 epochs; None after the last."""
        return next((each for each in self.rungs if each > rung), None)


@dataclass(frozen=True)
class Standing:
    """A trial's cost when it reached a rung: lower is better, inf is last, and nan is never promoted."""

    place: int  # in the search, from 0
    cost: float
    on: int  # the rung, in epochs


@dataclass(frozen=True)
class Job:
    """A leg of training: the trial of this place goes from its rung to another."""

    place: int
    start: int  # epochs; 0 for a trial that begins
    to: int  # epochs


def most_brackets(min_epochs: int, reduction_factor: int, epochs: int) -> int:
    """The number of brackets that differ; the last of them trains every trial to the end."""
    count, rung = 1, min_epochs
    while rung < epochs:
        count, rung = count + 1, rung * reduction_factor
    return count


def ladders_of(min_epochs: int, reduction_factor: int, epochs: int, brackets: int = 1) -> tuple[Ladder, ...]:
    """The ladders of so many brackets, the one with the earliest rungs first; raises ValueError as Ladder does."""
    if brackets < 1:
        raise ValueError(f"brackets must be at least 1, got {brackets}")
    return tuple(Ladder(min_epochs, reduction_factor, epochs, bracket) for bracket in range(brackets))


def bracket_of(place: int, reduction_factor: int, brackets: int) -> int:
    """The bracket of the trial of this place.

    Trials are dealt in the proportions of Hyperband, so that brackets use about the same number of epochs, and in an
    order in which every bracket has its share early.
    """
    if brackets == 1:
        return 0
    deal = _deal(reduction_factor, brackets)
    return deal[place % len(deal)]


def among_best(reached: Iterable[Standing], reduction_factor: int) -> list[int]:
    """The places of the floor(n / reduction_factor) best of the n trials that have reached a rung, the best first.

    Ties go to the smaller place. A trial without a cost (nan) counts in n and is never among the best.
    """
    standings = list(reached)
    ranked = sorted((each for each in standings if not math.isnan(each.cost)), key=lambda each: (each.cost, each.place))
    return [each.place for each in ranked[: len(standings) // reduction_factor]]


def promoted(reached: Iterable[Standing], gone_on: Container[int], reduction_factor: int) -> int | None:
    """The place of the best trial that belongs to the best of its rung and has not gone on yet; None where none does.

    `reached` has the trials of one rung of one bracket, once each, those that have gone on as well.
    """
    return next((place for place in among_best(reached, reduction_factor) if place not in gone_on), None)


def beginning(ladders: Sequence[Ladder], place: int) -> Job:
    """The first leg of the trial of this place."""
    return Job(place, 0, ladders[bracket_of(place, ladders[0].reduction_factor, len(ladders))].rungs[0])


def promotions(ladders: Sequence[Ladder], reached: Iterable[Standing], sent: Mapping[int, int]) -> Iterator[Job]:
    """The promotion at each rung that has one, the highest rung first: the next leg is the first of them, or else a
    new trial's `beginning`.

    `sent` has the rung to which each trial that has begun was sent last, by its place; `reached` every rung that one of
    them has reached. Where brackets have a promotion at the same rung, that with the earlier rungs is first.
    """
    factor = ladders[0].reduction_factor
    by_rung: dict[tuple[int, int], list[Standing]] = {}
    for each in reached:
        by_rung.setdefault((each.on, bracket_of(each.place, factor, len(ladders))), []).append(each)
    for rung, bracket in sorted(by_rung, key=lambda key: (-key[0], key[1])):
        to = ladders[bracket].after(rung)
        if to is None:
            continue
        standings = by_rung[rung, bracket]
        gone_on = {each.place for each in standings if sent[each.place] > rung}
        place = promoted(standings, gone_on, factor)
        if place is not None:
            yield Job(place, rung, to)


@lru_cache(maxsize=64)
def _deal(reduction_factor: int, brackets: int) -> tuple[int, ...]:
    """One round: each bracket as often as its share says, at each step the one that is furthest behind its share."""
    shares = [-(-brackets * reduction_factor**left // (left + 1)) for left in reversed(range(brackets))]
    total, had, deal = sum(shares), [0] * brackets, []
    for number in range(1, total + 1):
        behind = max(range(brackets), key=lambda each: (shares[each] * number - total * had[each], -each))
        had[behind] += 1
        deal.append(behind)
    return tuple(deal)
