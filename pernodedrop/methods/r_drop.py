"""R-Drop: two passes whose predictions shall agree (Liang et al. 2021, arXiv:2106.14448)."""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from pernodedrop.methods.around import Around
from pernodedrop.objectives import Objective, Outputs, Step
from pernodedrop.regularization import Regularization


class RDrop(Around):
    """Minimizes the mean loss of two noisy passes + alpha / 2 times the mean of their two Kullback-Leibler divergences.

    For small noise it multiplies the explicit effect of the noise by 1 + alpha. The authors write the sum of both
    losses: their weight of the divergence is half this alpha. Gradients flow through both sides. `noise` names the
    regularizer that draws.

    Raises:
        ValueError: alpha is negative or not finite, the noise is unknown, or the task does not say what its
            outputs are.
    """

    options: ClassVar[Mapping[str, float | str]] = {**Around.options, "alpha": 1.0}

    def objective(self, layers: Sequence[nn.Linear], settings: Regularization) -> Objective:
        alpha = float(self.option(settings, "alpha"))
        if not 0.0 <= alpha < math.inf:
            raise ValueError(f"alpha must be finite and at least 0, got {alpha}")

        def agree(step: Step) -> Tensor:
            outputs = step.require_outputs("r_drop")
            one, two = step.forward(), step.forward()
            loss = 0.5 * (step.loss(one) + step.loss(two))
            return loss + 0.5 * alpha * symmetric_divergence(one, two, outputs)

        return agree


def symmetric_divergence(one: Tensor, two: Tensor, outputs: Outputs) -> Tensor:
    """(KL(one || two) + KL(two || one)) / 2 of what two passes predict, in the scale of the mean loss; a scalar."""
    match outputs:
        case "softmax":
            first, second = one.log_softmax(-1), two.log_softmax(-1)
            return 0.5 * ((first.exp() - second.exp()) * (first - second)).sum(-1).mean()
        case "sigmoid":
            return 0.5 * ((one.sigmoid() - two.sigmoid()) * (one - two)).mean()
        case "squared":  # of Gaussians with the variance 1/2 that the mean squared error belongs to
            return torch.mean((one - two) ** 2)
