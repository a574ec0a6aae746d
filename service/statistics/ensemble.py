"""A deep ensemble: the mean prediction of several trainings of one configuration (Lakshminarayanan et al. 2017)."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from service.statistics.confidence import reliability

Kind = Literal["softmax", "sigmoid"]
Floats = NDArray[np.float64]
SURE = 2.0**-24  # a probability that single precision keeps apart from 1, at most


@dataclass(frozen=True)
class Ensemble:
    """Figures of the mean prediction, in nats where they are logarithms."""

    members: int
    nll: float  # as the task's loss: over sigmoids the mean of all N x L decisions
    accuracy: float
    ece: float
    brier: float
    total: float  # entropy of the mean prediction, over sigmoids summed
    aleatoric: float  # mean entropy of the members' predictions
    epistemic: float  # their difference, by the jackknife over members; 0 of one member
    plug_in: float  # their plain difference, which is too small with few members


def ensemble_of(log_probabilities: ArrayLike, targets: ArrayLike, kind: Kind) -> Ensemble:
    """Judge the mean of members' probabilities.

    `log_probabilities` are (M, N, C) for classes `targets` (N,), or those of "yes" (M, N, L) for targets (N, L) of
    zeros and ones. The epistemic part is M H(p) - (M - 1) mean_m H(p without m) - mean_m H(p_m), the jackknife of the
    mutual information of prediction and member: the plain difference is biased low with few members.

    Raises:
        ValueError: no member, or shapes that do not belong together.
    """
    given, truth = np.asarray(log_probabilities, np.float64), np.asarray(targets)
    expected = given.shape[1:2] if kind == "softmax" else given.shape[1:]
    if given.ndim != 3 or not len(given) or truth.shape != expected:
        raise ValueError(f"an ensemble needs (M, N, C) and its targets, got {given.shape} and {truth.shape}")
    probabilities = np.exp(given)
    members = len(given)
    mean = probabilities.mean(axis=0)
    total, aleatoric = _entropy(mean, kind), _entropy(probabilities, kind).mean(axis=0)
    without = total
    if members > 1:
        without = _entropy((members * mean - probabilities) / (members - 1), kind).mean(axis=0)
    jackknife = members * total - (members - 1) * without - aleatoric
    return Ensemble(
        members=members,
        **(_single_label if kind == "softmax" else _multi_label)(given, mean, truth),
        total=float(total.mean()),
        aleatoric=float(aleatoric.mean()),
        epistemic=float(jackknife.mean()) if members > 1 else 0.0,
        plug_in=float((total - aleatoric).mean()) if members > 1 else 0.0,
    )


def _single_label(given: Floats, mean: Floats, targets: NDArray[np.int64]) -> dict[str, float]:
    classes = targets.astype(np.int64)
    of_target = np.take_along_axis(given, np.broadcast_to(classes[None, :, None], (*given.shape[:2], 1)), axis=2)
    nll = math.log(len(given)) - special.logsumexp(of_target[..., 0], axis=0)
    correct = mean.argmax(axis=-1) == classes
    probability = np.take_along_axis(mean, classes[:, None], axis=1)[:, 0]
    distances = (mean**2).sum(axis=-1) - 2 * probability + 1
    return {
        "nll": float(nll.mean()),
        "accuracy": float(correct.mean()),
        "ece": reliability(mean.max(axis=-1), correct).ece,
        "brier": float(distances.mean()),
    }


def _multi_label(given: Floats, mean: Floats, targets: NDArray[np.float64]) -> dict[str, float]:
    truth = targets.astype(np.float64)
    yes = np.clip(mean, None, 1 - SURE)
    nll = -(truth * np.log(np.maximum(yes, np.finfo(np.float32).tiny)) + (1 - truth) * np.log1p(-yes))
    return {
        "nll": float(nll.mean()),
        "accuracy": float((mean.argmax(axis=-1) == truth.argmax(axis=-1)).mean()),
        "ece": reliability(mean.ravel(), truth.ravel()).ece,
        "brier": float(((mean - truth) ** 2).mean()),
    }


def _entropy(probabilities: Floats, kind: Kind) -> Floats:
    """The entropy of each input's prediction, over sigmoids the sum of theirs."""
    each = special.entr(np.clip(probabilities, 0.0, 1.0))
    if kind == "sigmoid":
        each = each + special.entr(np.clip(1 - probabilities, 0.0, 1.0))
    return np.asarray(each.sum(axis=-1))
