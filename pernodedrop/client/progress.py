"""A study's progress while somebody waits: a bar in a terminal, the study itself in a notebook, else plain lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from pernodedrop.client.answers import Details
from pernodedrop.client.showing import html, line
from pernodedrop.visible import visible

Show = Callable[[Details], None]

LINE = 5.0  # s between two plain lines


@contextmanager
def shown(wanted: bool) -> Iterator[Show]:
    """What shows each state of the study, and the last one when it is over."""
    if not wanted:
        yield lambda study: None
    elif _in_a_notebook():
        yield _Notebook()
    elif sys.stderr.isatty() and find_spec("rich") is not None:
        with _bars() as show:
            yield show
    else:
        yield _Lines()


class _Lines:
    def __init__(self) -> None:
        self._said = float("-inf")

    def __call__(self, study: Details) -> None:
        if _is_last(study) or time.monotonic() - self._said >= LINE:
            self._said = time.monotonic()
            sys.stderr.write(visible(line(study)) + "\n")
            sys.stderr.flush()


class _Notebook:
    """One output of the cell, which is replaced."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, study: Details) -> None:
        from IPython.display import HTML, display

        content = HTML(html(study, (), ()))  # type: ignore[no-untyped-call]
        if self._handle is None:
            self._handle = display(content, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(content)


@contextmanager
def _bars() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        search = progress.add_task("", total=None)
        confirmation = progress.add_task("confirming", total=None, visible=False)

        def show(study: Details) -> None:
            progress.update(
                search,
                total=study.budget.trials,
                completed=study.counts.ended,
                description=visible(f"{study.name} {study.state}"),
            )
            further = study.confirmation
            progress.update(confirmation, total=further.total, completed=further.ended, visible=further.total > 0)
            if _is_last(study):
                progress.console.print(visible(line(study)), soft_wrap=True)

        yield show


def _is_last(study: Details) -> bool:
    return study.is_over or study.has_paused_itself


def _in_a_notebook() -> bool:
    """Whether a kernel of Jupyter runs this, which shows HTML."""
    ipython = sys.modules.get("IPython")
    here = None if ipython is None else ipython.get_ipython()
    return here is not None and getattr(here, "kernel", None) is not None
