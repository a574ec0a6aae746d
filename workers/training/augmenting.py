"""What is done to a training batch's inputs before a step: the study's augmentation, then the task's own."""

from typing import Any

import torch
from torch import Tensor

from search_spaces import TrialConfig
from workers.tasks.base import Task
from workers.tasks.errors import InvalidInputs
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.structure import Batch, described, mapped
from workers.training.augmentations import AUGMENTATIONS
from workers.training.seeds import named_stream


class Augmenting:
    """Changes the inputs of batches. A task's own draws begin anew in every epoch, so no checkpoint need keep them.

    Raises:
        ValueError: the study's augmentation is none of the task's.
    """

    def __init__(self, task: Task, config: TrialConfig, device: torch.device, seed: int) -> None:
        self._task, self._seed = task, seed
        self._studys = None if config.augmentation == "none" else AUGMENTATIONS.get(config.augmentation)
        if config.augmentation not in ("none", *task.augmentations):
            known = ", ".join(("none", *task.augmentations))
            raise ValueError(f"augmentation must be of {known} for task {task.spec.name}, got {config.augmentation}")
        self._generator = torch.Generator(device) if task.augments else None

    def begin(self, epoch: int) -> None:
        """Begin the epoch of this number."""
        if self._generator is not None:
            self._generator.manual_seed(named_stream(self._seed, f"augment {epoch}"))

    def __call__(self, x: Batch) -> Batch:
        """The batch's inputs (B, ...) as the step takes them.

        Raises:
            InvalidInputs: the task's own returned others than it was given.
        """
        if self._studys is not None:
            x = self._studys(x)  # type: ignore[arg-type]
        if self._generator is None:
            return x
        kind, words = _kind(x), described(x)  # before, since the hook may change it in place
        with torch.no_grad():
            found = self._task.augment(x, self._generator)
        if _kind(found) != kind:
            raise InvalidInputs(
                f"augment of task {self._task.spec.name} must return as many samples of the same types in the same "
                f"dictionaries as it was given, {words}, got {described(found)}"
            )
        return found


def _kind(parts: Any) -> Any:
    """What the model relies on: parts, their numbers of samples, types and devices."""
    return mapped(parts, _kind_of_one)


def _kind_of_one(part: Any) -> Any:
    if isinstance(part, Tensor) and part.dim() > 0:
        return len(part), part.dtype, part.device
    return (len(part), part.device) if isinstance(part, SparseRows) else type(part)
