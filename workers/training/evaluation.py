"""A model's figures over a whole split, in evaluation mode."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from pernodedrop.passes import Passes, cut
from workers.tasks.base import Task
from workers.tasks.inputs import Inputs, pieces
from workers.training.figures import figures_of, model_figures_of
from workers.training.in_place import Watched
from workers.training.precision import computing, widened

CPU_SAMPLES, GPU_SAMPLES = 64, 4096  # at once
CPU_BYTES = 2**19  # of input: for small samples, more than 64 at once are faster
MOST_BYTES = 2**26  # of input at once: activations are many times that


@torch.inference_mode()
def evaluate(
    task: Task, model: nn.Module, x: Inputs, y: Tensor, passes: Passes | None = None, *, of: str = "the inputs"
) -> dict[str, float]:
    """The task's loss and metrics of x (N, ...), y (N, ...), which `of` names; leaves the model in evaluation mode.

    With `passes` they are those of the passes' mean probabilities; those of a single pass have the pass's name at the
    end, for example loss_one_mask.

    Raises:
        UnusableFigure: the task returned a loss or a metric that is no number.
        ChangedInPlace: the model changed its inputs, or the task what it was given.
        PairsAll: the loss compares every output with every target.
    """
    model.eval()
    single, *several = outputs_of(task, model, x, passes, of=of)
    figures = figures_of(task, single, y)
    if passes is not None:
        of_one = {f"{name}_{passes.one}": figure for name, figure in figures.items()}
        figures = figures_of(task, task.combined(torch.stack(several)), y) | of_one
    figures |= model_figures_of(task, model, x)
    values = torch.stack([figure.to(y.device) for figure in figures.values()]).tolist()  # one wait for all
    return dict(zip(figures, values, strict=True))


@torch.inference_mode()
def prediction(task: Task, model: nn.Module, x: Inputs, passes: Passes | None = None) -> Tensor:
    """The outputs (N, ...) by which the model is judged: of one pass, or of the mean of all `passes`."""
    model.eval()
    single, *several = outputs_of(task, model, x, passes)
    return single if passes is None else task.combined(torch.stack(several))


def outputs_of(
    task: Task,
    model: nn.Module,
    x: Inputs,
    passes: Passes | None = None,
    *,
    at_once: int | None = None,
    of: str | None = None,
) -> list[Tensor]:
    """The model's outputs (N, ...) for a whole split, in single precision: of one pass, then of each of `passes`.

    A call of the model has `at_once` samples, by default as many as are fast. `of` names inputs that are read again.

    Raises:
        ChangedInPlace: the model changed inputs that are read again, or that several passes read.
    """
    watching = of is not None or passes is not None
    front, rest = cut(model, () if passes is None else passes.modules)
    contexts: list[Callable[[], AbstractContextManager[None]]] = [nullcontext]
    if passes is not None:
        contexts += [partial(passes.under, number) for number in range(passes.count)]
    found: list[list[Tensor]] = [[] for _ in contexts]
    with computing(task.spec, x.device):
        for batch in pieces(x, at_once or evaluation_batch(x)):
            seen = Watched(batch) if watching else None
            entering = front(batch)
            for outputs, context in zip(found, contexts, strict=True):
                with context():
                    outputs.append(rest(entering))
            if seen is not None:
                seen.require_unchanged(f"the model of task {task.spec.name}", of or "its inputs")
    with torch.inference_mode(False):  # tensors of inference mode do not say whether a metric has changed them
        return [widened(torch.cat(outputs)) for outputs in found]


def evaluation_batch(x: Inputs) -> int:
    """The number of samples of x (N, ...) to evaluate at once."""
    samples = max(CPU_SAMPLES, CPU_BYTES * len(x) // x.nbytes) if x.device.type == "cpu" else GPU_SAMPLES
    return max(1, min(samples, MOST_BYTES * len(x) // x.nbytes))
