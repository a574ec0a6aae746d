"""Helpers of all commands: the environment's settings, a client, a console."""

import typer
from rich.console import Console

from service.cli.exit_codes import ExitCode, Failure
from service.client import Client
from service.ports import LOOPBACK
from service.settings import Settings

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
    return Client(settings.url, settings.api_key)


def console_here() -> Console:
    """Return a console on standard output that never reads names and messages as markup."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    return console


def say(text: str) -> None:
    """Print a line on standard output."""
    typer.echo(text)
