"""How often each protocol finds a difference between variants that are all the same."""

import numpy as np
import pytest

from service.statistics import choose, choosing_seeds, friedman, paper_protocol

ALPHA = 0.05


@pytest.mark.parametrize(("seeds", "variants"), [(5, 8), (5, 4), (10, 3)])
def test_the_valid_protocol_rejects_as_often_as_it_says(seeds: int, variants: int) -> None:
    random = np.random.default_rng(seeds * variants)
    rejections = [
        friedman(random.normal(size=(seeds, 1)) + random.normal(size=(seeds, variants))).p_value < ALPHA
        for _ in range(2000)
    ]
    assert 0.02 <= np.mean(rejections) <= 0.08


def test_it_still_does_where_other_seeds_chose_the_configuration() -> None:
    """Ten seeds, and variants with 1 to 30 equally good configurations to choose from."""
    random, seeds, configurations = np.random.default_rng(42), 10, (1, 2, 5, 10, 20, 30)
    choosing = choosing_seeds(seeds, max(configurations))
    rejections = []
    for _ in range(1500):
        luck = random.normal(size=(1, seeds))
        judged = [choose(luck + random.normal(size=(count, seeds)), choosing).costs for count in configurations]
        rejections.append(friedman(np.stack(judged, axis=1)).p_value < ALPHA)
    assert 0.02 <= np.mean(rejections) <= 0.08


def test_equal_choice_by_the_judging_seeds_does_not_reject_too_often() -> None:
    random, seeds = np.random.default_rng(43), 5
    rejections = []
    for _ in range(500):
        luck = random.normal(size=(1, seeds))
        judged = [choose(luck + random.normal(size=(6, seeds)), 0).costs for _ in range(6)]
        rejections.append(friedman(np.stack(judged, axis=1)).p_value < ALPHA)
    assert np.mean(rejections) <= 0.08


@pytest.mark.parametrize("between_runs", [0.0, 0.01, 0.02])
def test_the_papers_protocol_rejects_nearly_always(between_runs: float) -> None:
    """Eight variants with one and the same response to rate and epoch, 10 rates and 20 epochs each."""
    random = np.random.default_rng(44)
    epochs, rates = np.arange(20), np.arange(10) / 10
    response = 0.8 + 0.8 * np.exp(-epochs[None, :] / 4) + 0.3 * (rates[:, None] - 0.4) ** 2
    rejections, agreements = [], []
    for _ in range(200):
        runs = random.normal(0, between_runs, size=(8, 10, 1)) + random.normal(0, 0.01, size=(8, 10, 20))
        test = paper_protocol({str(i): (response + run).ravel().tolist() for i, run in enumerate(runs)}).test
        rejections.append(test.p_chi2 < ALPHA)
        agreements.append(test.kendall_w)
    assert np.mean(rejections) > 0.9
    assert np.mean(agreements) > 0.6, "and claims that its blocks agree"


def test_the_valid_protocol_finds_a_difference_that_is_there() -> None:
    random = np.random.default_rng(45)
    better = np.asarray([-3.0, 0.0, 0.0, 0.0])
    found = [friedman(better + random.normal(size=(8, 4))).p_value < ALPHA for _ in range(200)]
    assert np.mean(found) > 0.9
