"""Whether a model's confidence is worth something: reliability, and the risk of answering the most confident only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """Events by the confidence that was given to them, in equal bins (k / bins, (k + 1) / bins]; each (bins,)."""

    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]  # the sum over the bin's events
    came_true: NDArray[np.float64]  # how many of them
    gaps: NDArray[np.float64]  # the sum of outcome - confidence: rounded as in training, unlike the difference

    @property
    def ece(self) -> float:
        """The expected calibration error (Naeini et al. 2015): the mean distance of frequency and confidence."""
        return float(np.abs(self.gaps).sum() / self.counts.sum())

    def __add__(self, other: "Reliability") -> "Reliability":
        """The events of both."""
        return Reliability(
            self.counts + other.counts,
            self.confidence + other.confidence,
            self.came_true + other.came_true,
            self.gaps + other.gaps,
        )


def reliability(confidence: ArrayLike, correct: ArrayLike, bins: int = BINS) -> Reliability:
    """Sort events with confidences (N,) in [0, 1] that came true (1) or not (0) into bins.

    The edges and sums are those of the figure `ece` of every training.

    Raises:
        ValueError: there is no event, or a value is not finite.
    """
    given, truth = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    if not len(given) or not (np.isfinite(given).all() and np.isfinite(truth).all()):
        raise ValueError(f"reliability needs finite confidences and outcomes, got {len(given)}")
    place = np.clip(np.ceil(given * bins).astype(np.int64) - 1, 0, bins - 1)
    sums = (np.asarray(np.bincount(place, of, minlength=bins), np.float64) for of in (given, truth, truth - given))
    return Reliability(np.bincount(place, minlength=bins), *sums)


@dataclass(frozen=True)
class RiskCoverage:
    """The share of errors among the most confident inputs, for every number of them."""

    risk: NDArray[np.float64]  # (N,): of the 1, 2, ... N most confident

    @property
    def area(self) -> float:
        """AURC, the mean risk over all coverages (Geifman and El-Yaniv 2017); 0 is best."""
        return float(self.risk.mean())

    @property
    def excess(self) -> float:
        """The area above that of the best order, all errors last, at the same accuracy (Geifman et al. 2019)."""
        count = len(self.risk)
        correct = round(count * (1 - float(self.risk[-1])))
        taken = np.arange(1, count + 1)
        return self.area - float((np.maximum(0, taken - correct) / taken).mean())

    def at(self, coverage: float) -> float:
        """The risk if this share, in (0, 1], of the inputs is answered: at least one."""
        return float(self.risk[max(1, round(coverage * len(self.risk))) - 1])


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """Answer the most confident inputs first; (N,) each, `correct` 1 or 0.

    Inputs of equal confidence come in no order, so each of them has their mean error: the expectation over all orders.

    Raises:
        ValueError: there is no input, or a value is not finite.
    """
    given, wrong = np.asarray(confidence, np.float64), 1 - np.asarray(correct, np.float64)
    if not len(given) or not (np.isfinite(given).all() and np.isfinite(wrong).all()):
        raise ValueError(f"a risk-coverage curve needs finite confidences and outcomes, got {len(given)}")
    _, place, sizes = np.unique(-given, return_inverse=True, return_counts=True)
    expected = np.repeat(np.bincount(place, wrong) / sizes, sizes)
    return RiskCoverage(np.cumsum(expected) / np.arange(1, len(given) + 1))
