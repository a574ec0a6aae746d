"""Which modules the tasks of users may be in: a list that a site may set, for the controller and its workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

VARIABLE = "PERNODEDROP_TASK_MODULES"
NONE = "-"  # the list of no module: only tasks with a name, built in or installed


@dataclass(frozen=True)
class TaskModules:
    """The allowed modules, each with the modules inside it; None allows every module."""

    names: tuple[str, ...] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read `VARIABLE`: names of modules by commas, "-" for none. All are allowed where it is empty or not set.

        Raises:
            ValueError: an entry is no module's name.
        """
        text = environment.get(VARIABLE, "").strip()
        if not text:
            return cls()
        names = tuple(name.strip() for name in text.split(",") if name.strip()) if text != NONE else ()
        for name in names:
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{VARIABLE} must list modules such as mylab.tasks,other, or be -, got {name!r}")
        return cls(names)

    def refusal(self, task: str) -> str | None:
        """Return why no worker may import the task "package.module:Class"; None for an allowed one and for a name."""
        module, colon, _ = task.partition(":")
        if self.names is None or not colon:
            return None
        if any(module == name or module.startswith(f"{name}.") for name in self.names):
            return None
        allowed = ", ".join(self.names) or "none"
        return f"module {module!r} is not allowed here (allowed: {allowed}): add it to {VARIABLE} or use another task"


ALL_MODULES = TaskModules()
