"""The paired pruner: what it saves, and how seldom it costs the best configuration."""

from typing import Literal

import numpy as np
import optuna
import pytest
from scipy import stats

from search_spaces import InvalidDefinition, Objective, parse_definition
from search_spaces.optuna import build_pruner
from search_spaces.optuna.paired import RepeatsPruner, p_value
from tests.search_spaces.studies import raw, study

SEARCHES = 100  # of each kind


def paired(p: float, repeats: int, direction: Literal["minimize", "maximize"] = "minimize") -> RepeatsPruner:
    return RepeatsPruner(p, Objective(metric="val_loss", direction=direction), repeats=repeats)


def simulated(pruner: RepeatsPruner, values: np.ndarray, direction: str = "minimize") -> list[int]:
    """Run a search over `values` (configurations, repeats); return how many repeats each configuration got."""
    sign = -1 if direction == "maximize" else 1
    search = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
    used = []
    for row in sign * values:
        trial = search.ask()
        for repeat, value in enumerate(row):
            trial.report(float(value), repeat)
            if trial.should_prune():
                break
        used.append(repeat + 1)
        stopped = repeat + 1 < len(row)
        state = optuna.trial.TrialState.PRUNED if stopped else optuna.trial.TrialState.COMPLETE
        search.tell(trial, None if stopped else float(row.mean()), state=state)
    return used


def drawn(random: np.random.Generator, configurations: int, repeats: int, spread: float) -> np.ndarray:
    """Values with normal noise of 1, a luck that each seed has for all, and true means of the given spread.

    The best configuration comes last, when its rival is the luckiest of all the others.
    """
    means = random.normal(0, spread, size=configurations)
    best = int(means.argmin())
    means[[best, -1]] = means[[-1, best]]
    luck = random.normal(0, 2, size=repeats)
    return means[:, None] + luck[None, :] + random.normal(0, 1, size=(configurations, repeats))


@pytest.mark.parametrize(
    ("spread", "saved_at_least"),
    [(0.0, 0.0), (1.0, 0.0), (10.0, 0.25)],  # equal configurations are the worst case for a false alarm
)
def test_it_saves_repeats_and_keeps_its_promise(spread: float, saved_at_least: float) -> None:
    random = np.random.default_rng(17)
    configurations, repeats, p = 20, 5, 0.05
    lost, used = 0, 0
    for _ in range(SEARCHES):
        values = drawn(random, configurations, repeats, spread)
        got = simulated(paired(p, repeats), values)
        lost += got[-1] < repeats
        used += sum(got)
    everything = SEARCHES * configurations * repeats
    assert lost <= p * SEARCHES
    assert 1 - used / everything >= saved_at_least


def test_a_hopeless_trial_is_stopped_after_two_repeats_and_a_better_one_never() -> None:
    worse, better = [9.0, 9.1, 9.0, 9.2, 9.1], [0.5, 0.6, 0.4, 0.6, 0.5]
    values = np.array([[1.0, 1.1, 1.0, 1.2, 1.1], worse, better])
    assert simulated(paired(0.05, 5), values) == [5, 2, 5]
    assert simulated(paired(0.05, 5, "maximize"), -values, "maximize") == simulated(paired(0.05, 5), -values)


def test_the_last_repeat_is_never_judged() -> None:
    values = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 9.0]])
    assert simulated(paired(0.5, 3), values) == [3, 3]


def test_the_p_value_is_students() -> None:
    differences = [0.3, 0.1, -0.05, 0.2]
    assert p_value(differences) == pytest.approx(stats.ttest_1samp(differences, 0, alternative="greater").pvalue)
    assert (p_value([0.25, 0.25]), p_value([0.0, 0.0]), p_value([-1.0, -1.0])) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"p": 1.0}, {"first": 1}, {"first": 5}])
def test_what_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        RepeatsPruner(**{"p": 0.05, "objective": Objective(metric="val_loss"), "repeats": 5, **wrong})  # type: ignore[arg-type]


def test_it_is_built_by_name() -> None:
    pruner = build_pruner(study(pruner={"name": "paired", "p": 0.2, "n_startup_repeats": 3}, repeats=6))
    assert isinstance(pruner, RepeatsPruner)


@pytest.mark.parametrize(("options", "repeats"), [({}, 2), ({"n_startup_repeats": 4}, 4)])
def test_it_needs_a_repeat_to_save(options: dict[str, int], repeats: int) -> None:
    with pytest.raises(InvalidDefinition, match=f"repeats must be at least {repeats + 1} with the paired pruner"):
        parse_definition(raw(pruner={"name": "paired", **options}, repeats=repeats))
