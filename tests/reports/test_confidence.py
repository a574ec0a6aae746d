"""Reliability, risk and coverage, and ensembles of seeds from stored log-probabilities."""

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import special, stats
from sklearn import metrics as sklearn_metrics

from service.statistics import ensemble_of, reliability, risk_coverage
from workers.tasks.metrics import ECE_BINS, calibration_error, multi_label, single_label

RANDOM = np.random.default_rng(7)
LOGITS = RANDOM.normal(0, 2, size=(4, 300, 5)).astype(np.float32)  # (members, inputs, classes)
CLASSES = RANDOM.integers(0, 5, size=300)
TOPICS = (RANDOM.random((300, 5)) < 0.3).astype(np.float32)


def test_the_calibration_error_is_that_of_training_to_the_last_digit() -> None:
    edges = np.arange(ECE_BINS + 1) / ECE_BINS
    for confidence in (RANDOM.random(1000), edges, RANDOM.random(999).astype(np.float32)):
        correct = (RANDOM.random(len(confidence)) < confidence).astype(np.float64)
        found = reliability(confidence, correct)
        theirs = calibration_error(torch.as_tensor(confidence).double(), torch.as_tensor(correct))
        assert found.ece == pytest.approx(float(theirs), rel=5e-16)  # the order of the last sum is torch's own
        assert found.counts.sum() == len(confidence)
        assert found.counts[0] == (confidence <= edges[1]).sum()
    assert (found + found).ece == pytest.approx(found.ece)


def test_bins_hold_what_lies_in_them() -> None:
    found = reliability([0.0, 0.03, 0.5, 1.0], [0, 1, 1, 0], bins=10)
    assert found.counts.tolist() == [2, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert found.confidence.tolist() == [0.03, 0, 0, 0, 0.5, 0, 0, 0, 0, 1.0]
    assert found.came_true.tolist() == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert found.ece == pytest.approx((0.97 + 0.5 + 1.0) / 4)


def test_the_risk_is_the_share_of_errors_among_the_most_confident() -> None:
    confidence, correct = RANDOM.permutation(50) / 50, RANDOM.integers(0, 2, 50)
    found = risk_coverage(confidence, correct)
    order = np.argsort(-confidence)
    assert found.risk.tolist() == pytest.approx([1 - correct[order[: k + 1]].mean() for k in range(50)])
    assert found.area == pytest.approx(found.risk.mean())
    assert found.at(1.0) == pytest.approx(1 - correct.mean())
    assert found.at(0.5) == pytest.approx(1 - correct[order[:25]].mean())
    assert found.at(1e-9) == 1 - correct[order[0]]


def test_inputs_of_one_confidence_come_in_any_order() -> None:
    confidence, correct = np.array([0.9, 0.5, 0.5, 0.5, 0.2]), np.array([1, 0, 1, 1, 0])
    orders = [[0, *tied, 4] for tied in permutations([1, 2, 3])]
    each = [np.cumsum(1 - correct[order]) / np.arange(1, 6) for order in orders]
    assert risk_coverage(confidence, correct).risk.tolist() == pytest.approx(np.mean(each, axis=0).tolist())


def test_the_excess_is_the_area_above_the_best_order() -> None:
    correct = np.array([1, 1, 0, 1, 0])
    best = risk_coverage(correct + 1.0, correct)  # errors last; ties do not matter, they err alike
    assert best.excess == pytest.approx(0)
    assert best.area == pytest.approx((0 + 0 + 0 + 1 / 4 + 2 / 5) / 5)
    assert risk_coverage(-correct, correct).excess > 0
    assert risk_coverage(np.zeros(3), np.ones(3)).excess == 0


def test_without_events_there_is_nothing_to_say() -> None:
    for confidence, correct in (([], []), ([np.nan], [1]), ([0.5], [np.nan])):
        with pytest.raises(ValueError, match="needs finite confidences"):
            reliability(confidence, correct)
        with pytest.raises(ValueError, match="needs finite confidences"):
            risk_coverage(confidence, correct)


def test_an_ensemble_of_classes_has_the_figures_of_its_mean_prediction() -> None:
    logs = special.log_softmax(LOGITS.astype(np.float64), axis=-1)
    found = ensemble_of(logs, CLASSES, "softmax")
    mean = np.exp(logs).mean(axis=0)
    theirs = single_label(torch.tensor(np.log(mean)), torch.tensor(CLASSES))
    assert found.nll == pytest.approx(sklearn_metrics.log_loss(CLASSES, mean))
    assert (found.accuracy, found.ece, found.brier) == pytest.approx([float(x) for x in theirs.values()])
    assert found.total == pytest.approx(stats.entropy(mean, axis=1).mean())
    assert found.aleatoric == pytest.approx(stats.entropy(np.exp(logs), axis=2).mean())
    assert found.plug_in == pytest.approx(found.total - found.aleatoric)
    without = [stats.entropy(np.exp(np.delete(logs, m, axis=0)).mean(axis=0), axis=1).mean() for m in range(4)]
    assert found.epistemic == pytest.approx(4 * found.total - 3 * np.mean(without) - found.aleatoric)
    assert found.epistemic > found.plug_in > 0


def test_an_ensemble_of_topics_sums_the_entropies_of_its_outputs() -> None:
    logs = special.log_expit(LOGITS.astype(np.float64))
    found = ensemble_of(logs, TOPICS, "sigmoid")
    mean = np.exp(logs).mean(axis=0)
    theirs = multi_label(torch.tensor(special.logit(mean)), torch.tensor(TOPICS))
    assert found.nll == pytest.approx(sklearn_metrics.log_loss(TOPICS.ravel(), mean.ravel()))
    expected = [float(theirs[name]) for name in ("accuracy", "ece", "brier")]
    assert (found.accuracy, found.ece, found.brier) == pytest.approx(expected)
    entropies = [stats.entropy(np.stack([p, 1 - p]), axis=0).sum(axis=-1) for p in (mean, *np.exp(logs))]
    assert found.total == pytest.approx(entropies[0].mean())
    assert found.plug_in == pytest.approx(entropies[0].mean() - np.mean(entropies[1:]))


def test_certain_members_have_finite_figures() -> None:
    for kind, targets in (("softmax", np.array([0])), ("sigmoid", np.array([[0.0, 1.0]]))):
        found = ensemble_of(np.log(np.array([[[1.0, 1e-45]]] * 2, np.float32)), targets, kind)  # type: ignore[arg-type]
        assert all(np.isfinite([found.nll, found.total, found.aleatoric, found.epistemic]))


def test_one_member_is_a_single_network() -> None:
    logs = special.log_softmax(LOGITS[:1].astype(np.float64), axis=-1)
    found = ensemble_of(logs, CLASSES, "softmax")
    assert (found.members, found.epistemic, found.plug_in) == (1, 0.0, 0.0)
    assert found.total == found.aleatoric


def test_members_that_judge_other_inputs_are_no_ensemble() -> None:
    with pytest.raises(ValueError, match="needs"):
        ensemble_of(LOGITS, CLASSES[:-1], "softmax")
