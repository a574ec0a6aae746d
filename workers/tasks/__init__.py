"""Tasks: the data sets and backbones that studies train, and the interface for own ones."""

from workers.tasks.base import Splits, Task
from workers.tasks.errors import DataUnavailable, InvalidOptions, UnknownTask
from workers.tasks.registry import load_task

__all__ = ["DataUnavailable", "InvalidOptions", "Splits", "Task", "UnknownTask", "load_task"]
