"""Helpers of all commands: the environment's settings, a client, a console."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from pernodedrop.proxies import BadVariable
from pernodedrop.visible import visible_lines
from service.cli.exit_codes import ExitCode, Failure
from service.cli.output import echo, of_stdout, print_json, stdout_width, wrapped
from service.client import Client
from service.ports import LOOPBACK
from service.settings import Settings
from service.storage.unchanged import UNCHANGED

LOG_WIDTH = 120  # columns of tables in files and logs


def settings_here(*, host: str = LOOPBACK) -> Settings:
    """Return the settings of this process; an invalid variable is wrong usage."""
    try:
        return Settings.from_environment(host=host)
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def client_here() -> Client:
    """Return a client of the controller at PERNODEDROP_URL."""
    settings = settings_here()
    try:
        return Client(settings.url, settings.api_key)
    except BadVariable as error:
        raise Failure(str(error), ExitCode.WRONG) from error


def console_here() -> Console:
    """Return a console on standard output that never reads names and messages as markup."""
    console = EscapingConsole(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


class EscapingConsole(Console):
    """A console whose own controls alone reach the terminal: it escapes those of every text that it shows."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's; an error of its file names the file, as `say` does."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            raise of_stdout(error) from None

    def render_str(self, text: str, **options: Any) -> Text:  # before widths are measured
        return super().render_str(visible_lines(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):  # whatever came as a Text
            yield segment if segment.control else Segment(visible_lines(segment.text), segment.style)


def say(text: str) -> None:
    """Print a line on standard output.

    Raises:
        OSError: it cannot be written, for example because its disk is full.
    """
    echo(visible_lines(wrapped(text, stdout_width())))


def answer(as_json: bool, document: BaseModel | Mapping[str, Any], *lines: str, changed: bool | None) -> None:
    """Print what an order was answered, with whether it `changed` anything: as JSON with this field, or in lines, of
    which the first says where it has not. None is no order: the command only shows what is there."""
    if as_json:
        print_json(document, **({} if changed is None else {"changed": changed}))
        return
    for number, line in enumerate(lines):
        say(f"{line}; {UNCHANGED}" if number == 0 and changed is False else line)
