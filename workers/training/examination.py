"""What a trained model says of a whole set of inputs with its noise: figures, and scores of single inputs."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from pernodedrop.passes import Passes
from pernodedrop.uncertainty import Kind, joint_nll, pass_correlation, uncertainty_of
from workers.tasks.base import Task
from workers.tasks.inputs import Inputs
from workers.training.evaluation import MOST_BYTES, evaluation_batch, outputs_of
from workers.training.figures import figures_of

MOST_OUTPUTS = 2**24  # numbers of all passes that are held at once
JOINTLY = 256  # inputs of the joint figures, in one call, so that they share what a layer draws once a call
GROUP = 10  # inputs of a joint likelihood
MOST_PROBABILITIES = 200_000  # numbers that are kept of one set
EVALUATED = "_evaluated"  # suffix of a figure of one pass without noise


@dataclass(frozen=True)
class Findings:
    """One set of inputs, examined; numbers are finite or nan."""

    passes: int  # 1 for a model without noise
    outputs: Kind
    figures: Mapping[str, float]  # of the whole set
    scores: Mapping[str, NDArray[np.float32]]  # (N,) or (N, C), of the first N inputs of a seeded order


@dataclass(frozen=True)
class Examiner:
    """Examines sets of inputs; of each it keeps the scores of `inputs` inputs at most, in an order that follows from
    `seed` and the set's size. A call with noise has `at_once` inputs at most: masks of their own take memory."""

    task: Task
    inputs: int
    seed: int
    at_once: int

    def check(self, model: nn.Module, x: Inputs, y: Tensor) -> None:
        """Return if the model's outputs for a few inputs x (n, ...) and targets y can be examined.

        Raises:
            ValueError: the task does not say that they are logits of one class or of each label, has no mean of several
                passes, or their shapes are others.
        """
        name, kind = self.task.spec.name, self.task.outputs
        if kind not in ("softmax", "sigmoid"):
            said = f"are {kind}" if kind else "are unknown: say in its property `outputs` what they are"
            raise ValueError(f"evaluation needs logits of classes or labels, and the outputs of task {name} {said}")
        if not self.task.can_combine:
            raise ValueError(
                f"evaluation needs the mean of several passes: say in `combined` of task {name} what it is"
            )
        with torch.inference_mode():
            outputs = outputs_of(self.task, model.eval(), x)[0]
        if outputs.dim() != 2 or y.shape != (outputs.shape if kind == "sigmoid" else outputs.shape[:1]):
            shapes = f"outputs {tuple(outputs.shape)} and targets {tuple(y.shape)}"
            raise ValueError(f"evaluation needs logits (inputs, classes) and a target for each, got {shapes} of {name}")

    @torch.inference_mode()
    def __call__(
        self, model: nn.Module, x: Inputs, y: Tensor | None, passes: Passes | None, *, with_probabilities: bool
    ) -> Findings:
        """What the model says of x (N, ...) in so many passes, or in one where it has none.

        y (N, ...) are the targets, None where no label fits. `with_probabilities` keeps the log-probabilities and the
        targets beside the scores, if these are few enough.
        """
        model.eval()
        kind = self._kind
        chosen = torch.randperm(len(x), generator=self._generator(), device="cpu")
        found = _joined(self._parts(model, x, y, passes))
        figures = {"size": float(len(x))}
        if y is not None:
            of_mean = figures_of(self.task, found["combined"], y)
            of_one = figures_of(self.task, found["evaluated"], y)
            figures |= {name: float(figure) for name, figure in of_mean.items()}
            figures |= {f"{name}{EVALUATED}": float(figure) for name, figure in of_one.items()}
            figures["mean_loss"] = float(found["mean_loss"].mean())
        figures |= {name: float(found[name].mean()) for name in ("total", "aleatoric", "epistemic", "plug_in")}
        few = chosen[: min(JOINTLY, self.at_once, max(1, MOST_BYTES * len(x) // x.nbytes))].to(x.device)
        figures |= self._jointly(model, x[few], None if y is None else y[few], passes)
        scores = _scores(found, y, kind)
        if with_probabilities and y is not None:
            log_probabilities = found["log_probabilities"]
            if min(self.inputs, len(x)) * log_probabilities.shape[1] <= MOST_PROBABILITIES:
                scores |= {"log_probabilities": log_probabilities, "targets": y}
        first = chosen[: self.inputs]
        return Findings(
            1 if passes is None else passes.count,
            kind,
            {name: figure if math.isfinite(figure) else math.nan for name, figure in figures.items()},
            {name: _numbers(score, first) for name, score in scores.items()},
        )

    @property
    def _kind(self) -> Kind:
        return "sigmoid" if self.task.outputs == "sigmoid" else "softmax"

    def _generator(self) -> torch.Generator:
        return torch.Generator("cpu").manual_seed(self.seed)

    def _parts(
        self, model: nn.Module, x: Inputs, y: Tensor | None, passes: Passes | None
    ) -> Iterator[dict[str, Tensor]]:
        """Columns for a part of the inputs at a time, because the outputs of all passes may be many."""
        classes = outputs_of(self.task, model, x[:1])[0].shape[-1]
        count = 1 if passes is None else passes.count
        size = max(1, MOST_OUTPUTS // (classes * (count + 1)))
        for first, part in zip(range(0, len(x), size), x.split(size), strict=True):
            at_once = None if passes is None else min(self.at_once, evaluation_batch(part))
            evaluated, *several = outputs_of(self.task, model, part, passes, at_once=at_once)
            outputs = torch.stack(several or [evaluated])
            found = uncertainty_of(outputs, self._kind)
            columns = {
                "evaluated": evaluated,
                "combined": self.task.combined(outputs) if several else evaluated,
                "log_probabilities": found.log_probabilities,
                "total": found.total,
                "aleatoric": found.aleatoric,
                "epistemic": found.epistemic,
                "plug_in": found.plug_in,
            }
            if y is not None:
                truth = y[first : first + size]
                columns["nll"] = _nll(outputs, found.log_probabilities, truth, self._kind)
                losses = [self.task.loss(of_pass, truth).double() for of_pass in outputs]
                columns["mean_loss"] = torch.stack(losses).mean().expand(len(truth))
            yield columns

    def _jointly(self, model: nn.Module, x: Inputs, y: Tensor | None, passes: Passes | None) -> dict[str, float]:
        """The figures of several inputs at once, of a few that one call takes."""
        grouped = y is not None and len(x) >= GROUP
        if passes is None and not grouped:
            return {}
        single, *several = outputs_of(self.task, model, x, passes, at_once=len(x))
        outputs = torch.stack(several or [single])
        figures = {} if passes is None else {"pass_correlation": float(pass_correlation(outputs, self._kind))}
        if y is not None and grouped:
            truth = y > 0.5 if self._kind == "sigmoid" else y  # a label may be soft
            found = joint_nll(outputs, truth, self._kind, size=GROUP, generator=self._generator())
            figures["joint_nll"] = float(found)
        return figures


def _scores(found: Mapping[str, Tensor], y: Tensor | None, kind: Kind) -> dict[str, Tensor]:
    """The scores (N,) of all inputs."""
    log_probabilities = found["log_probabilities"]
    unknown = torch.full_like(found["total"], math.nan)
    scores = {
        "confidence": log_probabilities.amax(-1).exp(),
        "entropy": found["total"],
        "epistemic": found["epistemic"],
        "nll": found.get("nll", unknown),
        "correct": unknown,
    }
    if y is not None:
        truth = y if kind == "softmax" else y.argmax(-1)
        scores["correct"] = found["combined"].argmax(-1) == truth
    if kind == "softmax":
        scores["energy"] = -found["evaluated"].double().logsumexp(-1)
    return scores


def _nll(outputs: Tensor, log_probabilities: Tensor, truth: Tensor, kind: Kind) -> Tensor:
    """The negative log-likelihood (N,) of the mean prediction; that of several labels is summed."""
    if kind == "softmax":
        return -log_probabilities.gather(-1, truth.long().unsqueeze(-1)).squeeze(-1)
    of_no = logsigmoid(-outputs.double()).logsumexp(0) - math.log(len(outputs))
    return -torch.where(truth > 0.5, log_probabilities, of_no).sum(-1)


def _joined(parts: Iterator[dict[str, Tensor]]) -> dict[str, Tensor]:
    every = list(parts)
    return {name: torch.cat([part[name] for part in every]) for name in every[0]}


def _numbers(score: Tensor, first: Tensor) -> NDArray[np.float32]:
    """The score of the first inputs, finite or nan."""
    chosen = score[first.to(score.device)].float().cpu()
    numbers: NDArray[np.float32] = torch.where(chosen.isfinite(), chosen, math.nan).numpy()
    return numbers
