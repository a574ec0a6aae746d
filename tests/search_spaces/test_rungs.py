"""Who goes on from a rung: the rule against Algorithm 2 as the paper has it, on all small searches."""

import itertools
import math
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import pytest

from search_spaces.rungs import (
    Job,
    Ladder,
    Standing,
    among_best,
    beginning,
    bracket_of,
    ladders_of,
    most_brackets,
    promoted,
    promotions,
)


def promotion(ladders: Sequence[Ladder], reached: Sequence[Standing], sent: Mapping[int, int]) -> Job | None:
    """The next leg where no new trial may begin."""
    return next(promotions(ladders, reached, sent), None)


def job(ladders: Sequence[Ladder], reached: Sequence[Standing], sent: Mapping[int, int]) -> Job:
    """The next leg."""
    return promotion(ladders, reached, sent) or beginning(ladders, len(sent))


@pytest.mark.parametrize(
    ("ladder", "rungs"),
    [
        (Ladder(1, 3, 27), (1, 3, 9, 27)),
        (Ladder(1, 3, 27, bracket=1), (3, 9, 27)),
        (Ladder(1, 3, 27, bracket=3), (27,)),
        (Ladder(1, 3, 20), (1, 3, 9, 20)),
        (Ladder(2, 4, 20), (2, 8, 20)),
        (Ladder(5, 2, 5), (5,)),
        (Ladder(1, 2, 1), (1,)),
        (Ladder(1, 100, 10_000), (1, 100, 10_000)),
    ],
)
def test_rungs_are_powers_below_the_whole_training_and_the_whole(ladder: Ladder, rungs: tuple[int, ...]) -> None:
    assert ladder.rungs == rungs


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 3, 27), "min_epochs must be at least 1, got 0"),
        ((1, 1, 27), "reduction_factor must be at least 2, got 1"),
        ((28, 3, 27), r"min_epochs must be at most epochs \(27\), got 28"),
        ((1, 3, 27, 4), "bracket must be from 0 to 3 with these rungs, got 4"),
        ((1, 3, 27, -1), "bracket must be from 0 to 3 with these rungs, got -1"),
    ],
)
def test_bad_numbers_are_named(values: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        Ladder(*values)
    if len(values) == 3:
        with pytest.raises(ValueError, match=f"^{words}$"):
            ladders_of(*values)


def test_no_bracket_is_one_too_few() -> None:
    with pytest.raises(ValueError, match=r"^brackets must be at least 1, got 0$"):
        ladders_of(1, 3, 27, 0)


def test_every_bracket_differs_from_the_others() -> None:
    for min_epochs, factor, epochs in itertools.product(range(1, 8), range(2, 5), range(1, 30)):
        if min_epochs > epochs:
            continue
        most = most_brackets(min_epochs, factor, epochs)
        ladders = ladders_of(min_epochs, factor, epochs, most)
        assert len({each.rungs for each in ladders}) == most
        assert ladders[-1].rungs == (epochs,)
        for each in ladders:
            assert list(each.rungs) == sorted(set(each.rungs))
            assert [each.after(rung) for rung in (0, *each.rungs)] == [*each.rungs, None]


def paper_get_job(
    costs: dict[int, list[tuple[int, float]]], begun_to: dict[int, int], rungs: tuple[int, ...], factor: int
) -> tuple[int, int] | None:
    """`get_job` as Algorithm 2 says it, in numbers of rungs: a trial and the rung it is promoted to."""
    for k in range(len(rungs) - 2, -1, -1):  # the paper's floor(log_eta(R / r)) - s - 1, ..., 1, 0
        top = sorted(costs[k], key=lambda each: (each[1], each[0]))[: len(costs[k]) // factor]
        promotable = [place for place, _ in top if begun_to[place] <= k]
        if promotable:
            return promotable[0], k + 1
    return None


def searches(places: int, orders: int) -> Iterator[tuple[list[float], random.Random]]:
    """All orders of few costs, ties as well, and for each a number of orders in which jobs end."""
    for costs in itertools.product(range(places), repeat=places):
        for seed in range(orders):
            yield [float(each) for each in costs], random.Random(seed)


@pytest.mark.parametrize(("factor", "epochs", "places"), [(2, 4, 5), (2, 8, 4), (3, 9, 4), (4, 5, 4)])
def test_it_is_algorithm_2_on_every_small_search(factor: int, epochs: int, places: int) -> None:
    ladder = Ladder(1, factor, epochs)
    rungs = ladder.rungs
    decided: Counter[str] = Counter()
    for costs, chance in searches(places, orders=2):
        reached: list[Standing] = []
        at: dict[int, list[tuple[int, float]]] = {k: [] for k in range(len(rungs))}
        sent: dict[int, int] = {}
        number: dict[int, int] = {}
        running: list[Job] = []
        while True:
            own, theirs = job([ladder], reached, sent), paper_get_job(at, number, rungs, factor)
            if theirs is None:
                assert own == Job(len(sent), 0, rungs[0])
                decided["begun"] += 1
            else:
                assert (own.place, own.to) == (theirs[0], rungs[theirs[1]])
                assert own.start == rungs[theirs[1] - 1]
                decided["promoted"] += 1
            if own.place < places:
                running.append(own)
                sent[own.place], number[own.place] = own.to, rungs.index(own.to)
            if not running:
                break
            if own.place >= places or chance.random() < 0.5:
                done = running.pop(chance.randrange(len(running)))
                reached.append(Standing(done.place, costs[done.place], done.to))
                at[rungs.index(done.to)].append((done.place, costs[done.place]))
    assert decided["begun"] > 100
    assert decided["promoted"] > 100 or factor == 4


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_never_more_than_its_share_is_promoted(factor: int) -> None:
    for costs in itertools.product([0.0, 1.0, math.inf, math.nan], repeat=6):
        gone_on: set[int] = set()
        for count in range(1, 7):
            reached = [Standing(place, cost, 1) for place, cost in enumerate(costs[:count])]
            best = among_best(reached, factor)
            assert len(best) <= count // factor
            for better, worse in itertools.pairwise(best):
                assert (costs[better], better) < (costs[worse], worse)
            assert not any(math.isnan(costs[place]) for place in best)
            while (place := promoted(reached, gone_on, factor)) is not None:
                assert place in best
                assert place not in gone_on
                gone_on.add(place)
            assert set(best) <= gone_on


def test_a_trial_without_a_cost_counts_among_those_that_reached_the_rung() -> None:
    reached = [Standing(0, 1.0, 1), Standing(1, math.nan, 1), Standing(2, math.nan, 1)]
    assert promoted(reached, (), 3) == 0
    assert promoted(reached, {0}, 3) is None
    assert promoted(reached[1:], (), 2) is None


def test_infinite_costs_are_last_and_ties_go_to_the_smaller_place() -> None:
    reached = [Standing(3, math.inf, 1), Standing(2, 0.5, 1), Standing(1, 0.5, 1), Standing(0, math.inf, 1)]
    assert among_best(reached, 2) == [1, 2]
    assert promoted(reached, {1}, 2) == 2
    assert among_best([Standing(3, math.inf, 1), Standing(0, math.inf, 1)], 2) == [0]


def test_the_order_of_arrival_changes_nothing() -> None:
    costs = [3.0, 1.0, 2.0, 1.0, math.nan, math.inf]
    standings = [Standing(place, cost, 3) for place, cost in enumerate(costs)]
    choices = {tuple(among_best(order, 2)) for order in itertools.permutations(standings)}
    assert choices == {(1, 3, 2)}


def test_the_highest_rung_is_first_and_then_the_bracket_with_the_earliest_rungs() -> None:
    ladders = ladders_of(1, 2, 8, 2)  # 1 2 4 8 and 2 4 8
    own = [bracket_of(place, 2, 2) for place in range(30)]
    early = [place for place, bracket in enumerate(own) if bracket == 0]
    late = [place for place, bracket in enumerate(own) if bracket == 1]
    sent = {place: ladders[bracket].rungs[0] for place, bracket in enumerate(own)}
    low = [Standing(place, float(place), 1) for place in early[:2]]
    assert promotion(ladders, low, sent) == Job(early[0], 1, 2)
    both = [*low, *(Standing(place, float(place), 2) for place in late[:2])]
    assert list(promotions(ladders, both, sent)) == [Job(late[0], 2, 4), Job(early[0], 1, 2)]
    sent |= dict.fromkeys(early[:2], 2)
    same = [*both, *(Standing(place, float(place), 2) for place in early[:2])]
    assert promotion(ladders, same, sent) == Job(early[0], 2, 4)
    sent |= {early[0]: 4, late[0]: 4}
    assert promotion(ladders, same, sent) is None
    assert job(ladders, same, sent) == Job(30, 0, ladders[bracket_of(30, 2, 2)].rungs[0])


def test_nobody_goes_on_from_the_last_rung() -> None:
    ladder = Ladder(1, 2, 2)
    reached = [Standing(place, float(place), 2) for place in range(8)]
    assert promotion([ladder], reached, dict.fromkeys(range(8), 2)) is None


@pytest.mark.parametrize(("factor", "brackets"), [(2, 2), (2, 5), (3, 3), (4, 3), (3, 1)])
def test_brackets_get_the_shares_of_hyperband_from_the_start(factor: int, brackets: int) -> None:
    shares = [math.ceil(brackets * factor**left / (left + 1)) for left in reversed(range(brackets))]
    total = sum(shares)
    dealt = [bracket_of(place, factor, brackets) for place in range(2 * total)]
    assert Counter(dealt[:total]) == Counter(dict(enumerate(shares)))
    assert dealt[total:] == dealt[:total]
    for count in range(1, total + 1):
        for bracket, share in enumerate(shares):
            assert abs(dealt[:count].count(bracket) - share * count / total) < brackets


def test_so_many_trials_as_it_says_bring_one_to_the_end() -> None:
    for factor, epochs in itertools.product((2, 3), (1, 2, 3, 5, 9)):
        ladder = Ladder(1, factor, epochs)
        for trials in (ladder.fewest_trials - 1, ladder.fewest_trials):
            reached: list[Standing] = []
            sent: dict[int, int] = {}
            while (leg := job([ladder], reached, sent)).place < trials:
                sent[leg.place] = leg.to
                reached.append(Standing(leg.place, float(leg.place), leg.to))
            assert any(each.on == epochs for each in reached) is (trials == ladder.fewest_trials)


def test_the_rule_needs_nothing_but_the_standard_library() -> None:
    code = "import sys, search_spaces.rungs; print([name for name in ('optuna', 'torch') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
