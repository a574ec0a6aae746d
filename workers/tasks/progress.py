"""Progress bars on a terminal's standard error; nowhere else, so that logs stay readable."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

Advance = Callable[[int], None]


@contextmanager
def bar_of_bytes(title: str, size: int, present: int) -> Iterator[Advance]:
    """A bar for `size` bytes of which some are `present`; yields the function that advances it."""
    with _bar(title, size, present, DownloadColumn(), TransferSpeedColumn()) as advance:
        yield advance


@contextmanager
def bar_of_items(title: str, count: int) -> Iterator[Advance]:
    """A bar for `count` things; yields the function that advances it."""
    with _bar(title, count, 0, MofNCompleteColumn()) as advance:
        yield advance


@contextmanager
def waiting(title: str) -> Iterator[None]:
    """A moving bar, for work of unknown length."""
    with _bar(title, None, 0):
        yield


@contextmanager
def _bar(title: str, total: int | None, done: int, *columns: ProgressColumn) -> Iterator[Advance]:
    console = Console(stderr=True)
    shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(title, total=total, completed=done)
        yield lambda step: progress.advance(bar, step)
