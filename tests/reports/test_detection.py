"""AUROC, false positive rate and average precision of scores, and their intervals over seeds and inputs."""

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from service.statistics import (
    Estimate,
    average_precision,
    detection,
    over_seeds_and_inputs,
    prevalence,
    resampled,
)

RANDOM = np.random.default_rng(14)
TIED = [(np.round(RANDOM.normal(size=n), 1), np.round(RANDOM.normal(0.4, 1, size=m), 1)) for n, m in ((40, 60), (7, 3))]
SAMPLES = [*TIED, (RANDOM.normal(size=50), RANDOM.normal(0.5, 1, size=30)), (np.zeros(4), np.zeros(5))]


@pytest.mark.parametrize(("inside", "outside"), SAMPLES)
def test_the_auroc_is_the_share_of_pairs_in_order(inside: np.ndarray, outside: np.ndarray) -> None:
    pairs = [(o > i) + 0.5 * (o == i) for o in outside for i in inside]
    ranks = stats.rankdata(np.concatenate([inside, outside]))[len(inside) :]
    by_ranks = (ranks.sum() - len(outside) * (len(outside) + 1) / 2) / (len(inside) * len(outside))
    found = float(detection(inside, outside).auroc[0])
    assert found == pytest.approx(np.mean(pairs), abs=1e-15)
    assert found == pytest.approx(by_ranks, abs=1e-15)
    labels = np.repeat([0, 1], [len(inside), len(outside)])
    assert found == pytest.approx(metrics.roc_auc_score(labels, np.concatenate([inside, outside])), abs=1e-12)


@pytest.mark.parametrize(("inside", "outside"), SAMPLES)
def test_the_average_precision_is_that_of_scikit_learn(inside: np.ndarray, outside: np.ndarray) -> None:
    labels = np.repeat([0, 1], [len(inside), len(outside)])
    expected = metrics.average_precision_score(labels, np.concatenate([inside, outside]))
    assert average_precision(inside, outside) == pytest.approx(expected, abs=1e-12)
    assert prevalence(inside, outside) == labels.mean()


@pytest.mark.parametrize(("inside", "outside"), SAMPLES)
def test_the_false_positive_rate_is_at_the_least_threshold_that_accepts_enough(
    inside: np.ndarray, outside: np.ndarray
) -> None:
    threshold = min(t for t in inside if 20 * sum(inside <= t) >= 19 * len(inside))
    assert detection(inside, outside).fpr[0] == np.mean(outside <= threshold)


def test_one_score_for_all_knows_nothing() -> None:
    found = detection(np.zeros(20), np.zeros(30))
    assert (found.auroc[0], found.fpr[0]) == (0.5, 1.0)
    assert average_precision(np.zeros(20), np.zeros(30)) == prevalence(np.zeros(20), np.zeros(30)) == 0.6


def test_a_resample_is_judged_as_if_its_inputs_were_written_out() -> None:
    for inside, outside in TIED:
        counts, counts_out = resampled(len(inside), 0, 20), resampled(len(outside), 1, 20)
        found = detection(inside, outside, counts, counts_out)
        assert (counts[:, 0] == 1).all()
        for column in range(21):
            alone = detection(
                np.repeat(inside, counts[:, column].astype(int)), np.repeat(outside, counts_out[:, column].astype(int))
            )
            assert (found.auroc[column], found.fpr[column]) == (alone.auroc[0], alone.fpr[0])


def test_nothing_and_infinity_are_no_scores() -> None:
    for inside, outside in (([], [1.0]), ([1.0], []), ([np.inf], [1.0]), ([0.0], [np.nan])):
        with pytest.raises(ValueError, match="finite scores on both sides"):
            detection(inside, outside)


def test_the_interval_of_one_seed_is_that_of_other_inputs() -> None:
    """The bootstrap's variance of a mean is known: that of the values, divided by their number."""
    values = RANDOM.exponential(size=300)
    found = over_seeds_and_inputs((values @ resampled(300, 0, 4000) / 300)[:, None])
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(1.96 * values.std() / np.sqrt(300), rel=0.05)
    assert not found.excludes_zero or found.low > 0


def test_seeds_that_agree_leave_the_inputs_and_inputs_that_agree_leave_the_seeds() -> None:
    values = RANDOM.normal(size=300)
    drawn = values @ resampled(300, 0, 4000) / 300
    same = over_seeds_and_inputs(np.stack([drawn] * 4, axis=1))
    assert same.high - same.value == pytest.approx(1.96 * values.std() / np.sqrt(300), rel=0.05)
    figures = np.array([0.1, 0.3, 0.2, 0.4])
    fixed = over_seeds_and_inputs(np.tile(figures, (9, 1)))
    expected = stats.t.interval(0.95, 3, figures.mean(), figures.std(ddof=1) / 2)
    assert (fixed.low, fixed.high) == pytest.approx(expected)
    exact = over_seeds_and_inputs(np.full((9, 4), 0.5))
    assert (exact.low, exact.high) == (0.5, 0.5)


def test_a_share_has_bounds_between_0_and_1_by_its_odds() -> None:
    around = Estimate(0.9, 0.75, 1.05, 3)
    found = around.of_share
    slope = 1 / (0.9 * 0.1)  # of the logarithmic odds
    assert special.logit([found.low, found.high]) == pytest.approx(special.logit(0.9) + slope * np.array([-0.15, 0.15]))
    assert 0 < found.low < 0.75
    assert found.high < 1
    assert Estimate(0.9, 0.899, 0.901, 3).of_share.low == pytest.approx(0.899, abs=1e-5)
    assert Estimate(1.0, 0.9, 1.1, 3).of_share == Estimate(1.0, 0.9, 1.0, 3)


def test_it_needs_a_seed_and_resamples() -> None:
    with pytest.raises(ValueError, match="a seed and two resamples"):
        over_seeds_and_inputs(np.zeros((2, 3)))


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_intervals_of_a_difference_cover(seeds: int) -> None:
    """Two variants of one law under shared seeds and inputs, the seeds' own luck besides: their difference is 0.

    With one seed there must be no such luck, because an interval for other inputs alone knows nothing of it.
    """
    random, missed, rounds = np.random.default_rng(seeds), 0, 150
    luck = 0.0 if seeds == 1 else 0.3
    counts, counts_out = resampled(60, 0, 100), resampled(60, 1, 100)
    for _ in range(rounds):
        hard, hard_out = random.normal(size=(2, 60))  # what all trainings have in common
        drawn = []
        for _ in range(2):
            strange = 1 + luck * random.normal(size=seeds)
            pairs = ((hard + random.normal(size=60), hard_out + s + random.normal(size=60)) for s in strange)
            drawn.append(np.stack([detection(*pair, counts, counts_out).auroc for pair in pairs], axis=1))
        found = over_seeds_and_inputs(drawn[0] - drawn[1])
        missed += found.excludes_zero
    assert missed <= 0.05 * rounds + 3 * np.sqrt(0.05 * 0.95 * rounds), "5 % and three standard errors"
