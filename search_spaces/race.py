"""How a search deals its trials to its variants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil, inf

from search_spaces.conditions import Space, in_order, own_needs
from search_spaces.dimensions import Value
from search_spaces.grids import Params, assignments, boxes
from search_spaces.known import Given, outside_of
from search_spaces.phases import PHASES
from search_spaces.scalars import LARGEST
from search_spaces.shape import StudyShape
from search_spaces.trial_config import variant_of
from search_spaces.variants import needed_dimensions, telling_in

MOST_POINTS = 1_000
MOST_BOXES = 100  # for each of the points


@dataclass(frozen=True)
class Contender:
    """A variant in a search: the assignments of its dimensions that give it, and the number of its configurations."""

    variant: str
    points: Sequence[Params]
    size: float  # inf where a dimension is an interval


@dataclass(frozen=True)
class Standing:
    """What a variant has had so far."""

    trials: int = 0  # of any state
    tried: int = 0  # different configurations among them
    best: float = inf  # the least cost of its complete trials


def contenders(definition: StudyShape) -> list[Contender]:
    """The variants of a study, in the order of their names.

    A variant that some fixed or conditional dimension can give in several ways has several points, which its trials
    take in turn. There are none where there would be more than MOST_POINTS of these.
    """
    space, fixed = definition.search_space, definition.fixed
    recipe = telling_in(space)
    needed = needed_dimensions(space, recipe)
    telling = {name: dimension for name, dimension in space.items() if name in needed}
    rest = {name: dimension for name, dimension in space.items() if name not in needed}
    needs = own_needs(space)
    asked = sorted({parent for dimension in rest.values() for parent in dimension.when} - rest.keys())
    counted: dict[tuple[Value | None, ...], float] = {}  # by the values that the other dimensions' conditions ask for
    points: dict[str, list[Params]] = {}
    sizes: dict[str, float] = {}
    for number, values in enumerate(assignments(in_order(telling), telling, needs, fixed)):
        if number == MOST_POINTS:
            return []
        point = {space[name].parameter or name: value for name, value in values.items() if name in telling}
        variant = variant_of({**fixed, **point}, recipe)
        points.setdefault(variant, []).append(point)
        case = tuple(values.get(parent) for parent in asked)
        if case not in counted:
            counted[case] = _size(rest, values)
        sizes[variant] = sizes.get(variant, 0.0) + counted[case]
    return [Contender(variant, points[variant], sizes[variant]) for variant in sorted(points)]


def next_variant(
    search: str,
    entered: Sequence[Contender],
    standings: Mapping[str, Standing],
    *,
    ordinal: int,
    trials: int,
    known: Mapping[int, Given] | None = None,
) -> Contender:
    """The variant that the run of this number, from 0, of `trials` is for.

    At first every variant gets its equal share, whatever the results. Each later phase keeps a share of the variants,
    those with the best trials, and serves the one that has had the fewest. A variant whose configurations are all
    trained steps aside, as long as another has some left.

    Runs whose configuration is `known`, by number, are of its variant, and count among the variant's trials. Where it
    leaves the variant open, it is dealt as others are.
    """
    first, *later = PHASES[search]
    start = ceil(first[1] * trials)
    if ordinal < start or not later:
        return _evenly(entered, ordinal, known) if known else _in_turn(entered, ordinal)
    if known and ordinal in known:
        entered = _suiting(entered, known[ordinal])
    share, end = later[0][0], float(start)
    for kept, part in later:
        share, end = kept, end + part * trials
        if ordinal < end:
            break
    standing = {each.variant: standings.get(each.variant, Standing()) for each in entered}
    ranked = sorted(entered, key=lambda each: standing[each.variant].best)
    alive = ranked[: max(1, ceil(share * len(ranked)))]
    open_ = [each for each in alive if standing[each.variant].tried < each.size]
    open_ = open_ or [each for each in ranked if standing[each.variant].tried < each.size] or alive
    return min(open_, key=lambda each: standing[each.variant].trials)


def _evenly(entered: Sequence[Contender], ordinal: int, known: Mapping[int, Given]) -> Contender:
    """The one that has had the fewest, among runs of which some are known; those outside of the space count nowhere."""
    had = dict.fromkeys((each.variant for each in entered), 0)
    number = 0
    while True:
        own = known.get(number)
        if own is None or outside_of(own) is None:
            suiting = entered if own is None else _suiting(entered, own)
            left = [each for each in suiting if had[each.variant] < each.size] or suiting
            chosen = min(left, key=lambda each: had[each.variant])
            if number == ordinal:
                return chosen
            had[chosen.variant] += 1
        number += 1


def _suiting(entered: Sequence[Contender], own: Given) -> list[Contender]:
    """The variants that the configuration may be of, each with the points that agree with it."""
    telling = own.keys() & {name for each in entered for point in each.points for name in point}

    def agrees(point: Params) -> bool:
        return telling <= point.keys() and all(own.get(name, value) == value for name, value in point.items())

    agreeing = [replace(each, points=list(filter(agrees, each.points))) for each in entered]
    return [each for each in agreeing if each.points]


def _in_turn(entered: Sequence[Contender], ordinal: int) -> Contender:
    """One after another; a variant leaves the round when it has had all of its configurations."""
    level = 0.0
    while True:
        active = [each for each in entered if each.size > level]
        if not active:
            return entered[ordinal % len(entered)]
        round_end = min(each.size for each in active)
        if ordinal < (round_end - level) * len(active):
            return active[ordinal % len(active)]
        ordinal -= int((round_end - level) * len(active))
        level = round_end


def _size(rest: Space, values: Mapping[str, Value]) -> float:
    """The number of configurations of the other dimensions under these values; inf for an interval, and for many."""
    sizes = [box.size for box in islice(boxes(rest, values), MOST_BOXES + 1)]
    total = sum(sizes)
    return inf if 0 in sizes or len(sizes) > MOST_BOXES or total > LARGEST else total
