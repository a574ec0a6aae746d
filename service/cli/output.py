"""What commands print: sentences that are wrapped at words, tables that fit, and JSON instead of both."""

import json
import re
import shutil
import sys
from collections.abc import Mapping
from typing import Annotated, Any, TextIO

import typer
from pydantic import BaseModel
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from service.calling import as_called

AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON, in the shape that REST answers with; errors stay lines on stderr.")
]
WIDEST = 10_000  # columns, for tables that are measured before they are squeezed
_PIECES = re.compile(r"`[^`]*`\S*|\S+")


def echo(text: str) -> None:
    """Print the text as it is on standard output.

    Raises:
        OSError: it cannot be written; the error names the file.
    """
    try:
        typer.echo(text)
    except OSError as error:
        raise of_stdout(error) from None


def of_stdout(error: OSError) -> OSError:
    """The error with the name of the file that it is about."""
    error.filename = error.filename or "standard output"
    return error


def print_json(answer: BaseModel | Mapping[str, Any], **further: Any) -> None:
    """Print the answer with `further` fields as JSON that a terminal shows and a program reads: every other letter is
    escaped."""
    content = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else dict(answer)
    echo(json.dumps({**content, **further}, indent=2, allow_nan=False))


def wrapped(text: str, width: int | None) -> str:
    """The text with its commands as they are called here, and its lines broken at words where they are too long.

    A command between backticks stays in one piece, so that it can be copied; so does a word that is too long. None is
    no width: what goes into a file or a pipe.
    """
    lines = as_called(text).split("\n")
    return "\n".join(lines if width is None else (_broken(line, width) for line in lines))


def width_of(stream: TextIO) -> int | None:
    """The columns of the terminal that the stream writes to, None where it is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def tell(console: Console, text: str, style: str = "") -> None:
    """Print a sentence on the console."""
    width = console.width if console.is_terminal else None
    console.print(Text(wrapped(text, width), style=style), soft_wrap=True)


def show_table(console: Console, table: Table) -> None:
    """Print the table, or where the console is too narrow for its words, a paragraph for each of its rows."""
    unbounded = console.options.update(max_width=WIDEST)
    whole = Measurement.get(console, unbounded, table)
    if whole.minimum <= console.width:
        _squeeze(console, table, whole.maximum - console.width)
        console.print(table)
        return
    if table.title is not None:
        tell(console, str(table.title), "bold")
    headings = [" ".join(str(column.header).split()) for column in table.columns]
    for number, row in enumerate(zip(*(column.cells for column in table.columns), strict=True)):
        if number:
            console.print()
        for heading, cell in zip(headings, row, strict=True):
            text = " ".join((cell.plain if isinstance(cell, Text) else str(cell)).split("\n"))
            if text.strip():
                tell(console, f"{heading + ': ' if heading else ''}{text}")


def _squeeze(console: Console, table: Table, excess: int) -> None:
    """Take so many columns of the terminal off the table, of its widest columns first: no word is cut."""
    if excess <= 0:
        return
    unbounded = console.options.update(max_width=WIDEST)
    least, widths = [], []
    for column in table.columns:
        sizes = [Measurement.get(console, unbounded, cell) for cell in (column.header, *column.cells)]
        least.append(max(one.maximum if column.no_wrap else one.minimum for one in sizes))
        widths.append(max(one.maximum for one in sizes))
    for _ in range(excess):
        spare = [place for place, width in enumerate(widths) if width > least[place]]
        if not spare:
            return
        widths[max(spare, key=widths.__getitem__)] -= 1
    for column, width in zip(table.columns, widths, strict=True):
        column.width = width


def stdout_width() -> int | None:
    """The columns of standard output, None where it is no terminal."""
    return width_of(sys.stdout)


def _broken(line: str, width: int) -> str:
    if cell_len(line) <= width:
        return line
    indent = line[: len(line) - len(line.lstrip())]
    lines, end = [indent], 0
    for piece in _PIECES.finditer(line):
        space = line[end : piece.start()] if end else ""
        end = piece.end()
        if lines[-1].strip() and cell_len(lines[-1] + space + piece[0]) > width:
            lines.append(indent)
            space = ""
        lines[-1] += space + piece[0]
    return "\n".join(lines)
