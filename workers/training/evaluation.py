"""A model's figures over a whole split, in evaluation mode."""

import torch
from torch import Tensor, nn

from workers.tasks.base import Inputs, Task
from workers.training.precision import computing, widened

CPU_SAMPLES, GPU_SAMPLES = 64, 4096  # at once
CPU_BYTES = 2**19  # of input: of samples so small, more than 64 at once are faster
MOST_BYTES = 2**26  # of input at once: activations are many times that


@torch.inference_mode()
def evaluate(task: Task, model: nn.Module, x: Inputs, y: Tensor) -> dict[str, float]:
    """The task's loss and metrics of x (N, ...), y (N, ...); leaves the model in evaluation mode."""
    model.eval()
    with computing(task.spec, x.device):
        outputs = widened(torch.cat([model(batch) for batch in x.split(evaluation_batch(x))]))
    figures = {"loss": task.loss(outputs, y), **task.metrics(outputs, y)}
    values = torch.stack([figure.double() for figure in figures.values()]).tolist()  # one wait for all
    return dict(zip(figures, values, strict=True))


def evaluation_batch(x: Inputs) -> int:
    """How many samples of x (N, ...) to evaluate at once."""
    samples = max(CPU_SAMPLES, CPU_BYTES * len(x) // x.nbytes) if x.device.type == "cpu" else GPU_SAMPLES
    return max(1, min(samples, MOST_BYTES * len(x) // x.nbytes))
