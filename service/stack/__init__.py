"""The whole service on one machine: Postgres, controller, dashboard and workers as child processes."""

from service.stack.child import ChildDied
from service.stack.stack import Stack

__all__ = ["ChildDied", "Stack"]
