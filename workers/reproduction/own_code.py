"""Whose code runs: a capsule holds none, and names modules that only its user may have run."""

import os
from collections.abc import Iterator

from search_spaces.task_modules import TaskModules
from service.storage.capsule import BadCapsule, Capsule
from service.storage.provenance import CODE


def check_task(capsule: Capsule, named: str | None) -> None:
    """Return if the capsule's task may run: a built-in or installed one, or an own one that the user has `named` or
    whose module the user's list of allowed modules has.

    Raises:
        BadCapsule: it may not.
        ValueError: the list is no list.
    """
    task = capsule.definition.task
    if task.is_built_in:
        return
    if task.is_external:
        raise BadCapsule("the capsule's study was trained by an own loop, code that only its author has: run it again")
    allowed = TaskModules.from_environment(os.environ)
    if (refusal := allowed.refusal(task.name)) is not None:
        raise BadCapsule(f"the capsule's task {refusal}")
    if allowed.names is None and named != task.name:
        raise BadCapsule(
            f"the capsule's task is {task.name}, code that it does not hold: "
            f"read yours, then add --task-from-here {task.name} to run it"
        )


def other_code(capsule: Capsule) -> Iterator[str]:
    """A line for every program of an own task that trained and is not the one that is installed here. Nothing is
    imported."""
    if capsule.definition.task.is_built_in:
        return
    from workers.tasks.code import code_here  # takes torch, which nothing else here needs

    trained = {(str(facts["module"]), facts.get("task")) for facts in map(_code, capsule.provenances.values()) if facts}
    for module, digest in sorted(trained, key=str):
        here = code_here(module)
        if here is None:
            yield f"the task's module {module} is not installed here"
        elif here != digest:
            yield f"the task's module {module} here is not the code that trained: SHA-256 {digest} and here {here}"


def _code(provenance: object) -> dict[str, str | int]:
    facts = provenance.get(CODE, {}) if isinstance(provenance, dict) else {}
    return facts if "module" in facts else {}
