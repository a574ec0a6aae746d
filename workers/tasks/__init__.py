"""Tasks: the data sets and backbones that studies train, and the interface for a user's own tasks."""

from workers.tasks.base import Splits, Task
from workers.tasks.errors import DataUnavailable, InvalidInputs, InvalidOptions, UnknownTask
from workers.tasks.inputs import Inputs
from workers.tasks.out_of_distribution import InputSet
from workers.tasks.registry import load_task
from workers.tasks.seams import Seams
from workers.tasks.sparse_linear import SparseLinear
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.splitting import Division, Fold
from workers.tasks.streamed import Streamed
from workers.tasks.structure import Batch, Structured

__all__ = [
    "Batch",
    "DataUnavailable",
    "Division",
    "Fold",
    "InputSet",
    "Inputs",
    "InvalidInputs",
    "InvalidOptions",
    "Seams",
    "SparseLinear",
    "SparseRows",
    "Splits",
    "Streamed",
    "Structured",
    "Task",
    "UnknownTask",
    "load_task",
]
