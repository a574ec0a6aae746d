"""Snapshot ensembles: the models at the ends of the learning rate's cycles predict together (Huang et al. 2017)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes
from search_spaces import TrialConfig
from search_spaces.objective import SNAPSHOTS
from workers.tasks.base import Task
from workers.tasks.inputs import Inputs
from workers.training.evaluation import prediction
from workers.training.figures import figures_of
from workers.training.schedules import cycle
from workers.training.states import State, copied, kept


class Snapshots:
    """The states of a model after the last step of every cycle, before the learning rate jumps up again.

    The last cycle ends with the training, whose steps may be no multiple of a cycle's.
    """

    def __init__(self, task: Task, model: nn.Module, *, every: int, steps: int) -> None:
        self._task, self._model = task, model
        self._every, self._steps = every, steps
        self._states: list[State] = []

    def after(self, step: int) -> None:
        """Keep the model where the step of this number, from 0, ends a cycle."""
        if self._ended(step + 1) > len(self._states):
            self._states.append(copied(self._model))

    def figures(self, x: Inputs, y: Tensor, passes: Passes | None) -> dict[str, float]:
        """The task's figures of x and y for the mean prediction of the snapshots so far, loss_snapshots and so on.

        Before the end of the first cycle they are those of the model as it is.
        """
        if not self._states:
            outputs = [prediction(self._task, self._model, x, passes)]
        else:
            with kept(self._model):
                outputs = [self._outputs(state, x, passes) for state in self._states]
        with torch.inference_mode():
            combined = outputs[0] if len(outputs) == 1 else self._task.combined(torch.stack(outputs))
            found = figures_of(self._task, combined, y)
        return {f"{name}{SNAPSHOTS}": float(figure) for name, figure in found.items()}

    def state(self) -> list[State]:
        """The snapshots so far, for a checkpoint."""
        return list(self._states)

    def until(self, done: int) -> list[State]:
        """The snapshots of the first so many steps."""
        return self._states[: self._ended(done)]

    def load(self, states: Sequence[State], done: int) -> None:
        """Continue with these, after so many steps; raises ValueError where these steps have another number of them."""
        if len(states) != self._ended(done):
            raise ValueError(f"{len(states)} snapshots do not fit {done} steps, which end {self._ended(done)} cycles")
        device = next(self._model.parameters()).device
        self._states = [{name: tensor.to(device) for name, tensor in state.items()} for state in states]

    def _ended(self, done: int) -> int:
        return done // self._every + (done == self._steps and done % self._every > 0)

    def _outputs(self, state: State, x: Inputs, passes: Passes | None) -> Tensor:
        self._model.load_state_dict(state)
        return prediction(self._task, self._model, x, passes)


def snapshots_of(task: Task, config: TrialConfig, model: nn.Module, steps: int) -> Snapshots | None:
    """The snapshots of a training of so many steps; None: its learning rate has no cycles.

    Raises:
        ValueError: the task does not define the mean of several predictions.
    """
    if config.learning_rate_schedule != "snapshot":
        return None
    if not task.can_combine:
        raise ValueError(
            f"learning_rate_schedule snapshot predicts by several models, and task {task.spec.name} has a loss of its "
            "own: say in its method combined what the mean of their predictions is"
        )
    return Snapshots(task, model, every=cycle(config, steps), steps=steps)
