"""What a task does in its own way: the hooks that it defines, and the kinds of its inputs."""

from workers.tasks import Splits, Task
from workers.tasks.inputs import Inputs
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.streamed import Streamed
from workers.tasks.structure import Structured

HOOKS = ("optimizer", "augment", "seams", "split", "smoothed_loss", "combined", "model_metrics", "out_of_distribution")


def hooks_of(task: Task) -> list[str]:
    """The optional methods that the task's class defines."""
    return [name for name in HOOKS if getattr(type(task), name) is not getattr(Task, name)]


def inputs_of(data: Splits) -> str | None:
    """What the inputs are instead of one tensor, None where they are one."""
    return _kind(data.train_x)


def _kind(x: Inputs) -> str | None:
    if isinstance(x, Streamed):
        inner = _structure(next(x[:1].batches(1))) if len(x) else None
        return "streamed" if inner is None else f"streamed, {inner}"
    return "sparse rows" if isinstance(x, SparseRows) else _structure(x.parts) if isinstance(x, Structured) else None


def _structure(batch: object) -> str | None:
    if isinstance(batch, dict):
        return f"a dictionary of {', '.join(map(str, batch))}"
    return f"a tuple of {len(batch)}" if isinstance(batch, tuple) else None
