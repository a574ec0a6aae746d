"""The steps of a training: the work on one batch, by the trial's recipe and the task's seams."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from pernodedrop import Regularized
from pernodedrop.objectives import Step
from search_spaces import TrialConfig
from workers.tasks.base import Task
from workers.tasks.seams import Seams
from workers.tasks.structure import Batch
from workers.training import schedules
from workers.training.augmenting import Augmenting
from workers.training.driving import Driven
from workers.training.figures import step_loss
from workers.training.in_place import Watched
from workers.training.optimizers import clip_gradient, set_in_groups
from workers.training.pairing import require_pairs
from workers.training.precision import computing, widened
from workers.training.statistics import kept, with_statistics

Setter = Callable[[float], None]


class Steps:
    """Forward, loss, backward and the optimizer's step, one of `steps`. Options that are not used cost nothing.

    Raises:
        ValueError: the recipe or a seam asks for what the task, its model or its regularizer cannot do.
    """

    def __init__(
        self,
        task: Task,
        config: TrialConfig,
        seams: Seams,
        model: nn.Module,
        regularized: Regularized | None,
        *,
        samples: int,
        steps: int,
        device: torch.device,
        seed: int,
    ) -> None:
        self._task, self._config, self._seams, self._model = task, config, seams, model
        self._regularized, self._samples, self._all, self._device = regularized, samples, steps, device
        self._objective = None if regularized is None else regularized.objective
        self._gradient_noise = None if regularized is None else regularized.gradient_noise
        if self._objective is not None and seams.objective is not None:
            raise ValueError(
                f"the objective of task {task.spec.name} replaces that of {config.regularizer}, got both: "
                "give the task a penalty instead, or search another regularizer"
            )
        self._with_statistics = with_statistics(model)
        self._asked = False  # whether the loss compares each output with its own target
        self.driven = Driven(task, config, model, device, seed)
        self._gradient_clip, self._label_smoothing = config.gradient_clip, config.label_smoothing
        self._augmented = Augmenting(task, config, device, seed)
        self._schedules = [(self._setter(name), schedule) for name, schedule in self._scheduled().items()]
        self.set_to(0.0)  # refuses what cannot be set before the first step

    def __call__(self, x: Batch, y: Tensor, number: int, steps: int) -> Tensor:
        """Take step `number`, from 0, of `steps` in the whole training; returns the batch's loss."""
        self.set_to(number / steps)
        x = self._augmented(x)
        if not self.driven.needs_closure:
            return self.driven.step(lambda: self._backward(x, y, number, number / steps))
        seen = Watched((x, y))

        def again() -> Tensor:
            seen.require_unchanged(f"the model or the loss of task {self._task.spec.name}", "a batch")
            return self._backward(x, y, number, number / steps)

        return self.driven.step(again)

    def begin(self, epoch: int) -> None:
        """Begin the steps of the epoch of this number."""
        self._augmented.begin(epoch)
        self.driven.begin()

    def end(self) -> None:
        """End the steps of an epoch."""
        self.driven.end()

    def set_to(self, done: float) -> None:
        """Set every number that has a schedule to what it is when a share `done` of the steps was taken."""
        for set_number, schedule in self._schedules:
            set_number(schedule(done))

    def gradient(self, x: Batch, y: Tensor, done: float) -> Sequence[Tensor]:
        """The gradient of a batch's loss with fresh noise, in every parameter that learns; changes no step.

        The batch is taken as it is, and what a seam or the optimizer adds later is not in it.
        """
        loss = step_loss(self._loss(x, y, done), self._task)
        learning = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        return torch.autograd.grad(loss, learning, allow_unused=True, materialize_grads=True)

    def _backward(self, x: Batch, y: Tensor, number: int, done: float) -> Tensor:
        """Put the gradient of step `number`, from 0, into the parameters; returns the batch's loss."""
        loss = step_loss(self._loss(x, y, done), self._task)
        self.driven.zero_gradients()
        torch.autograd.backward(loss)
        if self._seams.gradient_noise is not None:
            self._seams.gradient_noise(self._model, number)
        if self._gradient_noise is not None:
            groups = self.driven.optimizer.param_groups
            self._gradient_noise([parameter for group in groups for parameter in group["params"]], number)
        if self._gradient_clip > 0.0:
            clip_gradient(self._model, self._gradient_clip)
        return loss.detach()

    def _loss(self, x: Batch, y: Tensor, done: float) -> Tensor:
        if self._seams.objective is not None:
            with computing(self._task.spec, self._device):
                return self._seams.objective(self._model, x, y)
        if self._objective is None:
            return self._loss_of(self._forward(x), x, y)
        passes = iter([nullcontext()])  # the first, as in a step of one pass
        seen = Watched((x, y))

        def forward() -> Tensor:
            seen.require_unchanged(f"the model or the loss of task {self._task.spec.name}", "a batch")
            with next(passes, None) or kept(self._with_statistics):
                return self._forward(x)

        step = Step(
            forward,
            lambda outputs: self._loss_of(outputs, x, y),
            self._task.outputs,
            self._samples,
            done,
        )
        return self._objective(step)

    def _forward(self, x: Batch) -> Tensor:
        with computing(self._task.spec, self._device):
            outputs: Tensor = self._model(x)
        return widened(outputs)

    def _loss_of(self, outputs: Tensor, x: Batch, y: Tensor) -> Tensor:
        if not self._asked:
            require_pairs(self._task, outputs, y)
            self._asked = True
        if self._label_smoothing > 0.0:
            loss = self._task.smoothed_loss(outputs, y, self._label_smoothing)
        else:
            loss = self._task.loss(outputs, y)
        return loss if self._seams.penalty is None else loss + self._seams.penalty(self._model, x, outputs)

    def _scheduled(self) -> dict[str, schedules.Schedule]:
        recipe = {
            "learning_rate": schedules.learning_rate(self._config, self._all),
            "drop_rate": schedules.drop_rate(self._config),
        }
        return {name: schedule for name, schedule in recipe.items() if schedule} | dict(self._seams.schedules)

    def _setter(self, name: str) -> Setter:
        """The function that sets a number of the recipe or the regularizer from the next step on."""
        setters: dict[str, Setter] = {
            "learning_rate": self.driven.set_rate,
            "momentum": lambda momentum: set_in_groups(self.driven.optimizer, "momentum", momentum),
            "gradient_clip": lambda longest: setattr(self, "_gradient_clip", longest),
            "label_smoothing": lambda share: setattr(self, "_label_smoothing", share),
            "drop_rate": self._set_drop_rate,
        }
        if name not in setters:
            raise ValueError(f"a schedule must be of {', '.join(setters)}, got {name!r}")
        return setters[name]

    def _set_drop_rate(self, rate: float) -> None:
        if self._regularized is None:
            task = self._task.spec.name
            raise ValueError(f'drop_rate_schedule must be constant: the model of task {task} has no layer named "slot"')
        try:
            self._regularized.set_drop_rate(rate)
        except ValueError as error:
            raise ValueError(f"drop_rate_schedule must be constant for this regularizer: {error}") from error
