"""A simulated fleet under a search that pauses and promotes: no trial is lost, no epoch is overspent, whoever is slow.

The fleet is the one with which docs/searching.md compares pruners (benchmarks/fleet.py).
"""

import random
from collections.abc import Callable

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState
from scipy.stats import spearmanr

from benchmarks import crossing
from benchmarks.fleet import Moment, Pausing, Search, Trial, played
from benchmarks.pausing import definition, replication, search_of
from benchmarks.truths import Recorded, space
from search_spaces.rungs import Standing, beginning, bracket_of, ladders_of, promotions

EPOCHS = crossing.LONG
FACTOR = 3
FLEETS = [(workers, seed) for workers in (1, 2, 5) for seed in range(4)]


def paces(seed: int) -> Callable[[int], float]:
    """Epochs that last between a tenth and ten times as long as others, and a worker that hardly moves."""
    chance = random.Random(seed)
    return lambda worker: chance.lognormvariate(0.0, 1.0) * (50.0 if seed and worker == 0 else 1.0)


def asha(seed: int, *, brackets: int = 1, most: int = 60) -> Pausing:
    curves = crossing.curves("noisy", seed)
    way = "asha" if brackets == 1 else "asha, 3 brackets"
    study = definition(space(epochs=EPOCHS), "random", way, most, seed)
    search = search_of(study, way, Recorded(curves, 0), seed)
    assert isinstance(search, Pausing)
    return search


def checked(search: Search, workers: int, budget: int, seed: int) -> list[Moment]:
    """Play it; nobody has more epochs than the budget at any moment, and every epoch is some trial's next."""
    moments = list(played(search, workers, budget, paces(seed)))
    assert [each.spent for each in moments] == list(range(1, len(moments) + 1))
    assert len(moments) <= budget
    assert sum(each.epochs for each in search.trials) == len(moments)
    assert [each.time for each in moments] == sorted(each.time for each in moments)
    frozen = search.study.get_trials(deepcopy=False)
    for trial in search.trials:
        assert list(frozen[trial.place].intermediate_values) == list(range(1, trial.epochs + 1))
        assert trial.cost == min(trial.curve[: trial.epochs])
    return moments


@pytest.mark.parametrize("brackets", [1, 3])
@pytest.mark.parametrize(("workers", "seed"), FLEETS)
def test_no_trial_is_lost(workers: int, seed: int, brackets: int) -> None:
    budget = 150
    search = asha(seed, brackets=brackets)
    spent = len(checked(search, workers, budget, seed))
    for trial in search.trials:
        ladder = search.ladders[bracket_of(trial.place, FACTOR, brackets)]
        assert trial.epochs == trial.to  # nobody is left on the way
        assert trial.is_paused is (trial.epochs < EPOCHS)
        assert trial.state is (TrialState.RUNNING if trial.is_paused else TrialState.COMPLETE)
        assert [each.on for each in search.reached if each.place == trial.place] == [
            rung for rung in ladder.rungs if rung <= trial.epochs
        ]
    sent = {each.place: each.to for each in search.trials}
    for leg in promotions(search.ladders, search.reached, sent):
        assert leg.to - leg.start > budget - spent  # what might go on cannot be paid for
    new = beginning(search.ladders, len(sent))
    assert len(search.trials) == search.most or new.to > budget - spent


@pytest.mark.parametrize("brackets", [1, 3])
@pytest.mark.parametrize(("workers", "seed"), FLEETS)
def test_who_goes_on_is_among_the_best_of_that_moment(workers: int, seed: int, brackets: int) -> None:
    search = asha(seed, brackets=brackets)
    before: dict[int, int] = {}
    promoted = 0
    for _ in played(search, workers, 200, paces(seed)):
        for trial in search.trials:
            if trial.to > before.get(trial.place, trial.to):
                promoted += 1
                left = before[trial.place]
                assert any(
                    trial.place in best(search, left, trial, known) for known in (search.reached[:-1], search.reached)
                )
            before[trial.place] = trial.to
    assert promoted > 5


def best(search: Pausing, rung: int, trial: Trial, known: list[Standing]) -> list[int]:
    """The third of those at the rung that may go on: never more than a third of those that have reached it."""
    brackets = len(search.ladders)
    own = bracket_of(trial.place, FACTOR, brackets)
    beside = [each for each in known if each.on == rung and bracket_of(each.place, FACTOR, brackets) == own]
    by_cost = sorted(beside, key=lambda each: (each.cost, each.place))
    return [each.place for each in by_cost[: len(beside) // FACTOR]]


@pytest.mark.parametrize(("workers", "seed"), FLEETS)
def test_with_epochs_enough_it_ends_when_nobody_may_go_on(workers: int, seed: int) -> None:
    search = asha(seed, most=30)
    checked(search, workers, 10**6, seed)
    assert len(search.trials) == 30
    sent = {each.place: each.to for each in search.trials}
    assert list(promotions(search.ladders, search.reached, sent)) == []
    assert sum(each.epochs == EPOCHS for each in search.trials) >= 1


@pytest.mark.parametrize("way", ["none", "median", "hyperband", "successive_halving"])
@pytest.mark.parametrize(("workers", "seed"), FLEETS[::3])
def test_pruners_that_stop_keep_the_budget_too(way: str, workers: int, seed: int) -> None:
    budget = 4 * EPOCHS + 10
    study = definition(space(epochs=EPOCHS), "random", way, 60, seed)
    search = search_of(study, way, Recorded(crossing.curves("noisy", seed), 0), seed)
    spent = len(checked(search, workers, budget, seed))
    assert budget - spent < EPOCHS  # what is left pays for no whole training
    assert all(each.state.is_finished() for each in search.trials)
    if way == "none":
        assert [each.epochs for each in search.trials] == [EPOCHS] * 4


def test_one_worker_takes_up_the_best_where_it_was_paused() -> None:
    search = asha(0, most=9)
    order: list[int] = []
    epochs = [0] * 9
    for _ in played(search, 1, 10**6):
        moved = next(each.place for each in search.trials if each.epochs > epochs[each.place])
        epochs[moved] += 1
        order.append(moved)
    first = {place: search.trials[place].curve[0] for place in range(9)}
    third_begun = order.index(2)
    best_of_three = min(range(3), key=lambda place: first[place])
    assert order[: third_begun + 1] == [0, 1, 2]
    assert order[3:5] == [best_of_three] * 2
    assert search.trials[best_of_three].epochs >= 3


def test_the_sampler_sees_a_paused_trial_as_pruned_at_its_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[tuple[int, TrialState, list[int]]]] = []
    original = optuna.samplers.RandomSampler.sample_independent

    def noting(
        self: optuna.samplers.RandomSampler, study: optuna.Study, trial: optuna.trial.FrozenTrial, *rest: object
    ) -> object:
        others = [each for each in study.get_trials(deepcopy=False) if each.number != trial.number]
        seen.append([(each.number, each.state, list(each.intermediate_values)) for each in others])
        return original(self, study, trial, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(optuna.samplers.RandomSampler, "sample_independent", noting)
    search = asha(1, most=9)
    list(played(search, 1, 10**6))
    looks = [look for look in seen if len(look) == 8]
    assert looks
    rungs = ladders_of(1, FACTOR, EPOCHS)[0].rungs
    for look in looks:
        assert {state for _, state, _ in look} <= {TrialState.PRUNED, TrialState.COMPLETE}
        assert all(len(steps) in rungs for _, _, steps in look)


def test_a_replication_is_the_same_again() -> None:
    among = space(epochs=EPOCHS), crossing.curves("crossing", 3)
    for way in ("hyperband", "asha"):
        one, other = (replication(among, "tpe", way, 3, workers=4, trainings=3) for _ in range(2))
        assert one == other
        assert len(one["regrets"]) == 6
        assert min(one["regrets"]) >= 0


def test_a_standing_says_the_best_epoch_so_far() -> None:
    search = asha(2, most=9)
    list(played(search, 3, 10**6))
    for each in search.reached:
        assert each == Standing(each.place, min(search.trials[each.place].curve[: each.on]), each.on)


@pytest.mark.parametrize("kind", crossing.KINDS)
def test_drawn_curves_are_what_their_kind_says(kind: str) -> None:
    """The correlation of the ranks after one epoch, and after nine, with those at the end."""
    first, ninth = [], []
    for seed in range(5):
        curves = crossing.curves(kind, seed)
        means = np.array([each.mean(axis=0) for each in curves.values()])
        end = np.array([each.min(axis=1).mean() for each in curves.values()])
        first.append(spearmanr(means[:, 0], end).statistic)
        ninth.append(spearmanr(means[:, 8], end).statistic)
    low, high = {
        "parallel": (0.97, 1.0),
        "crossing": (-1.0, -0.7),
        "slow starters": (0.6, 0.99),
        "noisy": (0.3, 0.95),
    }[kind]
    assert low < np.mean(first) <= high
    assert bool(np.mean(ninth) < 0) is (kind == "crossing")
