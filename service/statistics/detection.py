"""How well a score tells strange inputs from those of the model's own distribution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
AT_ONCE = 50  # resamples: their arrays stay in the cache
ACCEPTED = 95  # per cent of the inputs of the distribution, for the false positive rate


@dataclass(frozen=True)
class Detection:
    """Two figures of a score, each (D,): of the inputs themselves, or of each of D resamples of them."""

    auroc: Floats  # P(score outside > score inside) + P(equal) / 2
    fpr: Floats  # the share outside that is accepted where 95 % of the inside are


def detection(
    inside: ArrayLike, outside: ArrayLike, inside_counts: Floats | None = None, outside_counts: Floats | None = None
) -> Detection:
    """Judge scores, the larger the stranger: (N,) of inputs of the distribution and (M,) of strange ones.

    `inside_counts` (N, D) and `outside_counts` (M, D) say how often each input is in each of D resamples; without them
    every input is there once, and D is 1.

    The AUROC is by mid-ranks (Hanley and McNeil 1982), so that a score which is the same for all inputs has 1/2. An
    input is accepted if its score is at most the threshold, the least one by which 95 % of the inside are accepted.
    Inputs tied with the threshold are all accepted, on both sides, so that a score which is the same for all has a
    false positive rate of 1.

    Raises:
        ValueError: a side is empty, or has a score that is not finite.
    """
    within, beyond = _sides(inside, outside)
    order, order_out = np.argsort(within), np.argsort(beyond)
    sides = within[order], beyond[order_out]
    counts = np.ones((len(within), 1)) if inside_counts is None else inside_counts
    counts_out = np.ones((len(beyond), 1)) if outside_counts is None else outside_counts
    parts = [
        _resamples(*sides, counts[order, start : start + AT_ONCE], counts_out[order_out, start : start + AT_ONCE])
        for start in range(0, counts.shape[1], AT_ONCE)
    ]
    auroc, fpr = (np.concatenate(figure) for figure in zip(*parts, strict=True))
    return Detection(auroc, fpr)


def _resamples(within: Floats, beyond: Floats, counts: Floats, counts_out: Floats) -> tuple[Floats, Floats]:
    """AUROC and false positive rate of some resamples of sorted scores."""
    below = np.zeros((len(within) + 1, counts.shape[1]))  # how many of the inside come before each
    np.cumsum(counts, axis=0, out=below[1:])
    size, size_out = below[-1], counts_out.sum(axis=0)
    twice = below[np.searchsorted(within, beyond, "left")]
    twice += below[np.searchsorted(within, beyond, "right")]  # those tied with an outside input count by half
    auroc = np.einsum("md,md->d", counts_out, twice) / (2 * size * size_out)
    threshold = within[(100 * below[1:] >= ACCEPTED * size).argmax(axis=0)]
    is_accepted = np.arange(len(beyond))[:, None] < np.searchsorted(beyond, threshold, "right")
    return auroc, np.einsum("md,md->d", counts_out, is_accepted) / size_out


def average_precision(inside: ArrayLike, outside: ArrayLike) -> float:
    """The area under the precision-recall curve where the outside is to be found (Davis and Goadrich 2006).

    It is the sum over thresholds of precision times gained recall, without interpolation; inputs of one score are found
    together. By chance it is the share of inputs that lie outside, `prevalence`, with which it must be stated.

    Raises:
        ValueError: a side is empty, or has a score that is not finite.
    """
    within, beyond = _sides(inside, outside)
    thresholds, gained = np.unique(beyond, return_counts=True)
    found = len(beyond) - np.searchsorted(np.sort(beyond), thresholds, "left")
    mistaken = len(within) - np.searchsorted(np.sort(within), thresholds, "left")
    return float((gained * found / (found + mistaken)).sum() / len(beyond))


def prevalence(inside: ArrayLike, outside: ArrayLike) -> float:
    """The share of the inputs that lie outside."""
    within, beyond = _sides(inside, outside)
    return len(beyond) / (len(within) + len(beyond))


def _sides(inside: ArrayLike, outside: ArrayLike) -> tuple[Floats, Floats]:
    within, beyond = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    if not len(within) or not len(beyond) or not (np.isfinite(within).all() and np.isfinite(beyond).all()):
        raise ValueError(f"detection needs finite scores on both sides, got {len(within)} and {len(beyond)}")
    return within, beyond
