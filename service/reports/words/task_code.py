"""Which source of an own task trained a study's models, in words."""

from collections import Counter
from collections.abc import Sequence

from service.reports.found.results import Results
from service.reports.words.wording import plural
from service.storage.provenance import TaskCode, task_codes

DIGITS = 12  # of a digest, that people read
MOST = 4  # sources that are named


def codes_in(results: Results) -> list[TaskCode]:
    """The sources of the study's task that trained its runs; none for a built-in task, whose source is this program."""
    if results.study.definition.task.is_built_in:
        return []
    trained = (*results.trials, *results.confirmations)
    return task_codes(Counter(run.provenance for run in trained if run.provenance), results.provenances)


def named(code: TaskCode) -> str:
    """ "3fa1c2d4e5f6 (commit 9b1c2d)"."""
    return code.digest[:DIGITS] if code.commit is None else f"{code.digest[:DIGITS]} (commit {code.commit[:DIGITS]})"


def listed(codes: Sequence[TaskCode]) -> str:
    """The sources with the number of their runs, "" where none is recorded; without a number where there is one."""
    if len(codes) == 1:
        return named(codes[0])
    return "; ".join(f"{named(code)}: {plural(code.runs, 'run')}" for code in codes[:MOST])


def mixed(task: str, codes: Sequence[TaskCode]) -> str | None:
    """Say that several sources of the task trained the study; None where one did."""
    if len(codes) < 2:
        return None
    more = f"; and {len(codes) - MOST} more" if len(codes) > MOST else ""
    return (
        f"The source of task {task} was changed during this study, so a difference may be one of the code: "
        f"{listed(codes)}{more}."
    )
