"""A model's figures over a whole split, in evaluation mode."""

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes
from workers.tasks.base import Task
from workers.tasks.seams import Inputs
from workers.training.precision import computing, widened

CPU_SAMPLES, GPU_SAMPLES = 64, 4096  # at once
CPU_BYTES = 2**19  # of input: for small samples, more than 64 at once are faster
MOST_BYTES = 2**26  # of input at once: activations are many times that


@torch.inference_mode()
def evaluate(task: Task, model: nn.Module, x: Inputs, y: Tensor, passes: Passes | None = None) -> dict[str, float]:
    """The task's loss and metrics of x (N, ...), y (N, ...); leaves the model in evaluation mode.

    With `passes` they are those of the passes' mean probabilities; those of a single pass have the pass's name at the
    end, for example loss_one_mask.
    """
    model.eval()
    figures = figures_of(task, outputs_of(task, model, x), y)
    if passes is not None:
        single = {f"{name}_{passes.one}": figure for name, figure in figures.items()}
        several = []
        for number in range(passes.count):
            with passes.under(number):
                several.append(outputs_of(task, model, x))
        figures = figures_of(task, task.combined(torch.stack(several)), y) | single
    values = torch.stack([figure.double() for figure in figures.values()]).tolist()  # one wait for all
    return dict(zip(figures, values, strict=True))


def outputs_of(task: Task, model: nn.Module, x: Inputs) -> Tensor:
    """The model's outputs (N, ...) for a whole split, in single precision."""
    with computing(task.spec, x.device):
        return widened(torch.cat([model(batch) for batch in x.split(evaluation_batch(x))]))


def figures_of(task: Task, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Loss and metrics, on the outputs' device."""
    return {"loss": task.loss(outputs, y), **task.metrics(outputs, y)}


def evaluation_batch(x: Inputs) -> int:
    """The number of samples of x (N, ...) to evaluate at once."""
    samples = max(CPU_SAMPLES, CPU_BYTES * len(x) // x.nbytes) if x.device.type == "cpu" else GPU_SAMPLES
    return max(1, min(samples, MOST_BYTES * len(x) // x.nbytes))
