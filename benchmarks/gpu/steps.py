"""A training step: run operation by operation, or recorded once as a CUDA graph and replayed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from benchmarks.gpu.recording import record

LEARNING_RATE = 0.001


class Outcome(NamedTuple):
    """What a step leaves to look at; a replay overwrites it."""

    logits: Tensor
    loss: Tensor


class Step(Protocol):
    """Forward, cross-entropy, backward and Adam on one batch."""

    def __call__(self, x: Tensor, y: Tensor, /) -> Outcome: ...


class RecordableStep(Step, Protocol):
    """A step whose state can be set back to what it was before the first."""

    @property
    def weights(self) -> Sequence[Tensor]: ...

    def averages(self) -> Iterable[Tensor]:
        """Adam's state; all of it starts at 0."""


class EagerStep:
    """The step as the workers' training loop takes it."""

    def __init__(
        self,
        model: nn.Module,
        learning_rate: float = LEARNING_RATE,
        *,
        bfloat16: bool = False,
        recorded: bool = False,
    ) -> None:
        self._model = model.train()
        self._bfloat16 = bfloat16
        self.weights = list(model.parameters())
        self._optimizer = torch.optim.Adam(self.weights, lr=learning_rate, fused=True, capturable=recorded)

    def __call__(self, x: Tensor, y: Tensor) -> Outcome:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bfloat16):
            logits = self._model(x)
        logits = logits.float() if self._bfloat16 else logits
        loss = nn.functional.cross_entropy(logits, y)
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._optimizer.step()
        # Detached: a graph of operations that is kept would tie the weights to the stream that it ran on.
        return Outcome(logits.detach(), loss.detach())

    def averages(self) -> Iterable[Tensor]:
        return [value for state in self._optimizer.state.values() for value in state.values()]


class RecordedStep:
    """A step recorded with buffers for its batch; the training starts as if it had not been tried out before."""

    def __init__(self, step: RecordableStep, x: Tensor, y: Tensor) -> None:
        self._x, self._y = x.clone(), y.clone()
        first_weights = [weight.detach().clone() for weight in step.weights]
        self._graph, self._outcome = record(lambda: step(self._x, self._y))
        _set_back(step, first_weights)
        self._step = step  # its tensors must live as long as the graph that writes to them

    def __call__(self, x: Tensor, y: Tensor) -> Outcome:
        self._x.copy_(x)
        self._y.copy_(y)
        self._graph.replay()
        return self._outcome


@torch.no_grad()
def _set_back(step: RecordableStep, weights: Iterable[Tensor]) -> None:
    """In place, since the recording knows addresses."""
    for weight, first in zip(step.weights, weights, strict=True):
        weight.copy_(first)
    for average in step.averages():
        average.zero_()
