"""Tasks: the data sets and backbones that studies train, and the interface for a user's own tasks."""

from workers.tasks.base import Splits, Task
from workers.tasks.errors import DataUnavailable, InvalidOptions, UnknownTask
from workers.tasks.out_of_distribution import InputSet
from workers.tasks.registry import load_task
from workers.tasks.seams import Inputs, Seams
from workers.tasks.sparse_linear import SparseLinear
from workers.tasks.sparse_rows import SparseRows
from workers.tasks.splitting import Division, Fold

__all__ = [
    "DataUnavailable",
    "Division",
    "Fold",
    "InputSet",
    "Inputs",
    "InvalidOptions",
    "Seams",
    "SparseLinear",
    "SparseRows",
    "Splits",
    "Task",
    "UnknownTask",
    "load_task",
]
