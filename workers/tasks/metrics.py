"""Metrics of outputs: scalars, float64, on the outputs' device."""

import torch
from torch import Tensor

ECE_BINS = 15


def single_label(outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Metrics of logits (N, C) for classes (N,).

    accuracy; ece, the calibration error of the most probable class; brier, the squared distance of the
    probabilities from the truth, summed over the classes (Brier 1950), in [0, 2].
    """
    probabilities = outputs.double().softmax(dim=-1)
    confidence, predicted = probabilities.max(dim=-1)
    correct = (predicted == targets).double()
    # |p - e_t|^2 = |p|^2 - 2 p_t + 1
    of_target = probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    distances = probabilities.square().sum(dim=-1) - 2 * of_target + 1
    return {
        "accuracy": correct.mean(),
        "ece": calibration_error(confidence, correct),
        "brier": distances.mean(),
    }


def multi_label(outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Metrics of logits (N, C), a sigmoid each, for targets (N, C) of zeros and ones.

    accuracy: the largest output is that of the first target that is one (of class 0 where none is). This is
    Keras' categorical accuracy, which suits single labels and which the paper prints; micro_f1 of the outputs
    above 1/2; ece and brier over all N x C decisions.
    """
    probabilities = outputs.double().sigmoid()
    truth = targets.double()
    found = (outputs > 0).double()
    hits, named = (found * truth).sum(), found.sum() + truth.sum()
    return {
        "accuracy": (outputs.argmax(dim=-1) == targets.argmax(dim=-1)).double().mean(),
        "micro_f1": 2 * hits / named.clamp(min=1),  # 0 where nothing is named and nothing is true
        "ece": calibration_error(probabilities.flatten(), truth.flatten()),
        "brier": (probabilities - truth).square().mean(),
    }


def calibration_error(confidence: Tensor, correct: Tensor, bins: int = ECE_BINS) -> Tensor:
    """The expected calibration error of confidences (N,) in [0, 1] whose events came true (1) or not (0).

    Over equal bins (k / bins, (k + 1) / bins], the mean distance between confidence and frequency, weighted by
    the bins' sizes (Naeini et al. 2015; Guo et al. 2017).
    """
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64, device=confidence.device)
    return gaps.index_add_(0, place, correct - confidence).abs().sum() / len(confidence)
