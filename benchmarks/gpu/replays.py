"""One training step done again and again from one state: which operation is the first to give other bits."""

import copy
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from benchmarks.gpu.bits import same_bits
from search_spaces import TaskSpec, TrialConfig
from workers.tasks import load_task
from workers.tasks.base import Task
from workers.tasks.inputs import Inputs
from workers.training.model import model_of
from workers.training.precision import computing, widened

SEED = 3


class Step:
    """A training step of the task's model, always from the same weights, batch and noise."""

    def __init__(self, spec: TaskSpec, config: TrialConfig, device: torch.device) -> None:
        self._task: Task = load_task(spec, Path())
        splits = self._task.splits(device)
        torch.manual_seed(SEED)
        self._model = model_of(self._task, config)[0].to(device).train()
        self._x: Inputs = splits.train_x[: config.batch_size]
        self._y = splits.train_y[: config.batch_size]
        self._rate = config.learning_rate
        self._begun = copy.deepcopy(self._model.state_dict())

    def unstable(self, replays: int) -> str | None:
        """The first of a step's tensors that differs between two of so many replays; None where none does."""
        first = self.tensors()
        for _ in range(replays):
            again = self.tensors()
            for name, tensor in first.items():
                if not same_bits(tensor, again[name]):
                    return name
        return None

    def without_deterministic_algorithm(self) -> list[str]:
        """What torch warns of in its deterministic mode, each warning's first words."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.tensors()
        texts = (str(warning.message) for warning in caught)
        return sorted({text.split(" does not have a deterministic")[0] for text in texts if "deterministic" in text})

    def tensors(self) -> dict[str, Tensor]:
        """Every module's output, every gradient and every weight after the step, in the order of their making."""
        self._model.load_state_dict(self._begun)
        torch.manual_seed(SEED)
        seen: dict[str, Tensor] = {}
        hooks = [m.register_forward_hook(partial(_see_output, seen, name)) for name, m in self._model.named_modules()]
        hooks += [_watch(p, partial(_see, seen, f"gradient of {name}")) for name, p in self._model.named_parameters()]
        optimizer = torch.optim.Adam(self._model.parameters(), lr=self._rate, fused=True)
        with computing(self._task.spec, self._y.device):
            outputs = self._model(self._x)
        loss = self._task.loss(widened(outputs), self._y)
        _see(seen, "loss", loss)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        for hook in hooks:
            hook.remove()
        return seen | {f"{name} after Adam's step": p.detach().clone() for name, p in self._model.named_parameters()}


def _see(seen: dict[str, Tensor], name: str, tensor: Tensor) -> None:
    seen[name] = tensor.detach().clone()


def _see_output(seen: dict[str, Tensor], name: str, module: nn.Module, _: Any, output: Tensor) -> None:
    called = f"{name or 'the model'} ({type(module).__name__})"
    _see(seen, f"output of {called}", output)
    if output.requires_grad:
        _watch(output, partial(_see, seen, f"gradient of the output of {called}"))


def _watch(tensor: Tensor, see: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `see` with the tensor's gradient."""
    handle: RemovableHandle = tensor.register_hook(see)  # type: ignore[no-untyped-call]  # of torch
    return handle
