"""`controller`, `dashboard`, `worker`: one process each, for a fleet or the stack."""

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pernodedrop import late
from pernodedrop.begin import command
from pernodedrop.door import heeded, hold_signals
from pernodedrop.visible import log_to_stderr
from service.cli.exit_codes import ExitCode, Failure
from service.cli.session import settings_here
from service.ports import LOOPBACK, is_free
from service.settings import CONTROLLER_PORT, DASHBOARD_PORT, Settings, without_key

if TYPE_CHECKING:
    import uvicorn

BURST = 20_000  # objects between collections: the longest page of a list needs some ten thousand, and drops them

commands = typer.Typer()

Host = Annotated[
    str,
    typer.Option(
        help="The address to listen on; any but loopback needs PERNODEDROP_API_KEY or a key of `pernodedrop keys`."
    ),
]
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]

Inherited = Annotated[
    int | None, typer.Option("--socket", hidden=True, help="An inherited socket on loopback, by its descriptor.")
]


@commands.command()
def controller(host: Host = LOOPBACK, port: Port = CONTROLLER_PORT, inherited: Inherited = None) -> None:
    """Serve the REST API on the database of DATABASE_URL; its documentation is at /docs.

    Example:

      pernodedrop controller --port 8001
    """
    from service.api.app import create_app

    _serve(create_app, host, port, inherited)


@commands.command()
def dashboard(host: Host = LOOPBACK, port: Port = DASHBOARD_PORT, inherited: Inherited = None) -> None:
    """Serve the web pages on the database of DATABASE_URL.

    Example:

      pernodedrop dashboard --port 8081
    """
    from service.dashboard import create_app

    _serve(create_app, host, port, inherited)


@commands.command(
    add_help_option=False,  # the worker prints its own help
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def worker(context: typer.Context) -> None:
    """Train runs from the queue of DATABASE_URL until asked to stop; `pernodedrop worker --help` lists its options."""
    hold_signals()
    os.execve(sys.executable, command("workers", *context.args), without_key(os.environ))  # noqa: S606


@commands.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def reproduce(context: typer.Context) -> None:
    """Train a capsule's runs again and compare every figure; `pernodedrop reproduce --help` lists its options."""
    hold_signals()
    os.execve(sys.executable, command("workers.reproduction", *context.args), without_key(os.environ))  # noqa: S606


def _serve(create_app: Callable[[Settings], Any], host: str, port: int, inherited: int | None) -> None:
    from service.web.connections import raise_file_limit
    from service.web.serving import server_of

    os.environ["TZ"] = "UTC"  # Optuna stores naive local times
    time.tzset()
    try:
        late.await_variables()
    except ValueError as error:
        raise Failure(str(error)) from error
    settings = settings_here(host=host)
    log_to_stderr(form=settings.log_format)
    try:
        app = create_app(settings)
    except ValueError as error:
        raise Failure(str(error), ExitCode.WRONG) from error
    if inherited is None and not is_free(port, host):
        raise Failure(f"port {port} of {host} is taken: choose another with --port")
    raise_file_limit()
    server = server_of(app, host=host, port=port, proxies=settings.trusted_proxies)
    gc.freeze()  # all that is loaded by now stays, so no collection scans it again
    gc.set_threshold(BURST)
    _run(server, inherited)


def _run(server: "uvicorn.Server", inherited: int | None) -> None:
    """Serve until a signal comes, which ends a server in order."""
    if signal.SIGHUP in heeded():
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))  # uvicorn knows only the others
    try:
        server.run(None if inherited is None else [socket.socket(fileno=inherited)])
    except KeyboardInterrupt:
        return
