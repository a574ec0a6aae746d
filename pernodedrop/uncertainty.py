"""What several noisy passes say of a prediction: how uncertain it is, and how much of that is the noise's doing.

Total uncertainty is the entropy of the mean prediction, aleatoric the mean entropy of the passes' predictions, and
epistemic what is left: the mutual information of the label and the mask (Kendall and Gal 2017, arXiv:1703.04977; for
dropout Gal and Ghahramani 2016, arXiv:1506.02142). All of this concerns one input at a time. Methods that share a mask
among inputs differ from those that do not in joint predictions alone (Osband et al. 2022, arXiv:2107.08924).

    >>> import torch
    >>> from torch import nn
    >>> from pernodedrop import mc_predict, regularize, uncertainty_of
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    >>> _ = regularize(model, "pernodedrop", "2", drop_rate=0.5)  # train it as you like
    >>> outputs = mc_predict(model, torch.randn(5, 4), passes=20)  # 20 calls: (20, 5, 3)
    >>> found = uncertainty_of(outputs, "softmax")
    >>> found.log_probabilities.shape, found.epistemic.shape
    (torch.Size([5, 3]), torch.Size([5]))
    >>> bool(torch.allclose(found.total, found.aleatoric + found.plug_in))
    True
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

Kind = Literal["softmax", "sigmoid"]
AT_ONCE = 2**20  # numbers in double precision, of which a few copies are made
_LEAST = -800.0  # exp(-800) is 0 in double precision


@dataclass(frozen=True)
class Uncertainty:
    """What S passes say of N inputs, in natural logarithms (nats), in double precision.

    `total` is the entropy of the mean prediction, and equals `aleatoric + plug_in`. `plug_in` is the mutual information
    of the S passes themselves, too low by about (S - 1) / S. `epistemic` estimates that of infinitely many passes by
    the jackknife; its mean over inputs has hardly any bias, a single one may be slightly below 0. Both are exactly 0
    for one pass, and where all passes agree.
    """

    log_probabilities: Tensor  # (N, C): of the mean over the passes; for sigmoid (N, L): of the mean probability of yes
    total: Tensor  # (N,)
    aleatoric: Tensor  # (N,)
    epistemic: Tensor  # (N,)
    plug_in: Tensor  # (N,)


@dataclass(frozen=True)
class Variance:
    """The variance of a label's indicators, summed over classes or labels: `total` is `aleatoric + epistemic`."""

    total: Tensor  # (N,): pb (1 - pb), pb the mean over the passes
    aleatoric: Tensor  # (N,): the mean of p (1 - p)
    epistemic: Tensor  # (N,): the variance of p over the passes


def uncertainty_of(outputs: Tensor, kind: Kind) -> Uncertainty:
    """The uncertainty of the logits (S, N, C) of S passes: of one class of C, or ("sigmoid") of C labels each.

    Labels count as independent given the pass: their entropies are summed. The jackknife is
    S H(pb) - (S - 1) mean_s H(pb without s) - mean_s H(p_s), with pb the mean of the passes' p_s.

    Raises:
        ValueError: another shape or kind, complex outputs, or no pass.
    """
    _check(outputs, kind)
    return Uncertainty(*_part_by_part(outputs, lambda part: _uncertainty(part, kind)))


def variance_of(outputs: Tensor, kind: Kind) -> Variance:
    """The decomposition of the variance instead of the entropy, of logits (S, N, C), as `uncertainty_of` takes them.

    Raises:
        ValueError: another shape or kind, complex outputs, or no pass.
    """
    _check(outputs, kind)
    return Variance(*_part_by_part(outputs, lambda part: _variance(part, kind)))


def joint_nll(
    outputs: Tensor, targets: Tensor, kind: Kind, *, size: int = 10, generator: torch.Generator | None = None
) -> Tensor:
    """The negative log-likelihood of the labels of `size` inputs at once, per input, in nats: a scalar.

    The mean over random groups of -log(mean_s prod_i p_s(y_i | x_i)) / size (Osband et al. 2022, arXiv:2107.08924).
    Every input is in one group, but for N modulo `size` of them. Logits (S, N, C) must come from S calls that had all N
    inputs each. Targets are classes (N,), or zeros and ones (N, C) for "sigmoid". `generator` chooses the groups, by
    default torch's. Few passes estimate it too high: compare at one S.

    Raises:
        ValueError: another shape or kind, complex outputs, no pass, fewer than `size` inputs, or other targets.
    """
    _check(outputs, kind)
    inputs = outputs.shape[1]
    if not 1 <= size <= inputs:
        raise ValueError(f"joint_nll needs groups of 1 to {inputs} inputs, as many as there are, got size {size}")
    device = "cpu" if generator is None else generator.device
    order = torch.randperm(inputs, generator=generator, device=device)[: inputs // size * size].to(outputs.device)
    of_truth = _log_of_truth(outputs, targets, kind)[:, order]
    together = of_truth.reshape(len(outputs), -1, size).sum(-1)  # S, groups
    return -_log_mean(together).mean() / size


def pass_correlation(outputs: Tensor, kind: Kind) -> Tensor:
    """How alike the passes move two inputs' probabilities: the mean over all pairs of inputs and over the classes of
    their correlation over the passes, a scalar in [-1, 1].

    It is 0 on average where every input has noise of its own, as PerNodeDrop and Dropout draw it, and not where they
    share it. Logits (S, N, C) must come from S calls that had all N inputs each. It is nan where no two inputs vary,
    for one pass in particular.

    Raises:
        ValueError: another shape or kind, complex outputs, or no pass.
    """
    _check(outputs, kind)
    p = _probabilities(outputs, kind)
    away = p - p.mean(0)
    length = away.square().sum(0).sqrt()
    varies = length > 1e-12 * p.square().sum(0).sqrt()  # else it is rounding
    directions = torch.where(varies, away / length, 0.0)  # S, N, C: of length 1 over the passes, or 0
    count = varies.sum(0).double()
    pairs = (count * (count - 1.0)).sum()
    return (directions.sum(1).square().sum() - varies.sum()) / pairs


def _part_by_part(outputs: Tensor, figures: Callable[[Tensor], tuple[Tensor, ...]]) -> list[Tensor]:
    """The figures (N, ...) of outputs (S, N, C), computed for a part of the inputs at a time."""
    size = max(1, AT_ONCE // outputs[:, :1].numel()) if outputs.shape[1] else 1
    parts = [figures(part) for part in torch.split(outputs, size, dim=1)]
    return [torch.cat(column) for column in zip(*parts, strict=True)]


def _variance(outputs: Tensor, kind: Kind) -> tuple[Tensor, ...]:
    """The fields of `Variance` for some of the inputs."""
    p = _probabilities(outputs, kind)
    mean = p.mean(0)
    terms = mean * (1.0 - mean), (p * (1.0 - p)).mean(0), (p - mean).square().mean(0)
    return tuple(term.sum(-1) for term in terms)


def _uncertainty(outputs: Tensor, kind: Kind) -> tuple[Tensor, ...]:
    """The fields of `Uncertainty` for some of the inputs."""
    passes = len(outputs)
    log_p = _log_probabilities(outputs, kind)  # S, N, decisions, outcomes
    log_mean = _log_mean(log_p)
    log_probabilities = log_mean[:, 0] if kind == "softmax" else log_mean[..., 1]
    total, aleatoric = _entropy(log_mean), _entropy(log_p).mean(0)
    if passes == 1:
        return log_probabilities, total, total, torch.zeros_like(total), torch.zeros_like(total)
    one_out = _entropy(_log_mean_of_others(log_p)).mean(0)
    agree = (log_p == log_p[0]).flatten(2).all(-1).all(0)  # else rounding would rank such inputs
    epistemic = torch.where(agree, 0.0, passes * total - (passes - 1) * one_out - aleatoric)
    return log_probabilities, total, aleatoric, epistemic, torch.where(agree, 0.0, total - aleatoric)


def _log_mean_of_others(log_p: Tensor) -> Tensor:
    """The logarithm of the mean of all passes but s, for each s: from the sums before and after it, so that nothing is
    subtracted and nothing cancels."""
    nothing = torch.full_like(log_p[:1], -math.inf)
    before = torch.cat([nothing, log_p[:-1].logcumsumexp(0)])
    after = torch.cat([log_p[1:].flip(0).logcumsumexp(0).flip(0), nothing])
    return torch.logaddexp(before, after) - math.log(len(log_p) - 1)


def _entropy(log_p: Tensor) -> Tensor:
    """The entropy (...) of log-probabilities (..., decisions, outcomes), summed over the decisions."""
    return -(log_p.exp() * log_p.clamp_min(_LEAST)).sum((-2, -1))


def _log_mean(log_p: Tensor) -> Tensor:
    return log_p.logsumexp(0) - math.log(len(log_p))


def _log_probabilities(outputs: Tensor, kind: Kind) -> Tensor:
    """Of logits (S, N, C): (S, N, 1, C), or for "sigmoid" (S, N, C, 2), no and yes."""
    wide = outputs.double()
    if kind == "softmax":
        return wide.log_softmax(-1).unsqueeze(2)
    return torch.stack([logsigmoid(-wide), logsigmoid(wide)], dim=-1)


def _probabilities(outputs: Tensor, kind: Kind) -> Tensor:
    """Of logits (S, N, C), of the same shape in double precision; for "sigmoid" those of yes."""
    return outputs.double().softmax(-1) if kind == "softmax" else outputs.double().sigmoid()


def _log_of_truth(outputs: Tensor, targets: Tensor, kind: Kind) -> Tensor:
    """The log-probability (S, N) that each pass gives to the targets."""
    expected = outputs.shape[1:2] if kind == "softmax" else outputs.shape[1:]
    if targets.shape != expected:
        raise ValueError(f"targets must have shape {tuple(expected)} for {kind}, got {tuple(targets.shape)}")
    _check_targets(targets, outputs.shape[2], kind)
    if kind == "softmax":
        of_passes = (logits.double().log_softmax(-1).gather(-1, targets.long().unsqueeze(-1)) for logits in outputs)
    else:
        of_passes = (logsigmoid(torch.where(targets > 0.5, logits, -logits).double()) for logits in outputs)
    return torch.stack([of_pass.sum(-1) for of_pass in of_passes])


def _check_targets(targets: Tensor, classes: int, kind: Kind) -> None:
    if kind == "sigmoid":
        if not bool(((targets == 0) | (targets == 1)).all()):
            raise ValueError("targets must be zeros and ones for sigmoid, got others: round them first")
        return
    if targets.is_floating_point() or targets.is_complex():
        raise ValueError(f"targets must be whole numbers for softmax, got {targets.dtype}: call targets.long()")
    if not bool(((targets >= 0) & (targets < classes)).all()):
        found = f"{int(targets.min())} to {int(targets.max())}"
        raise ValueError(f"targets must be classes of 0 to {classes - 1} for softmax, got {found}")


def _check(outputs: Tensor, kind: str) -> None:
    if kind not in ("softmax", "sigmoid"):
        raise ValueError(f'kind must be "softmax" or "sigmoid", got {kind!r}')
    if outputs.is_complex():
        raise ValueError(f"outputs must be real logits, got {outputs.dtype}: choose outputs.real or outputs.abs()")
    if outputs.dim() != 3 or 0 in (len(outputs), outputs.shape[2]):
        raise ValueError(f"outputs must be logits (passes, inputs, classes), got shape {tuple(outputs.shape)}")
