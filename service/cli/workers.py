"""`workers` and `drain`: they list workers and ask one to leave."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from pernodedrop.near import did_you_mean
from service.api.models import Workers
from service.cli.exit_codes import Failure
from service.cli.output import AsJson, print_json, show_table
from service.cli.session import answer, client_here, console_here, say

commands = typer.Typer()


@commands.command()
def workers(as_json: AsJson = False) -> None:
    """List the workers that were seen lately and what they train."""
    with client_here() as client:
        alive = client.workers()
    if as_json:
        print_json(Workers(workers=alive))
        return
    if not alive:
        say("no worker was seen lately: start one with `pernodedrop worker`")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("worker", "device", "state", "study", "trial", "seen"):
        table.add_column(heading)
    for one in alive:
        trial = "-" if one.trial is None else str(one.trial)
        seen = f"{max(0, int((datetime.now(UTC) - one.seen_at).total_seconds()))} s ago"
        table.add_row(f"{one.host}:{one.pid}", one.device, one.state, one.study or one.serves or "-", trial, seen)
    show_table(console_here(), table)


@commands.command()
def drain(
    worker: Annotated[str, typer.Argument(help="The worker, as `pernodedrop workers` names it, such as node-3:4711.")],
    as_json: AsJson = False,
) -> None:
    """Ask a worker to leave, as SIGTERM does: it hands its trials back with checkpoints and ends within seconds.

    `serve` does not replace it; a container that always restarts comes back.
    """
    with client_here() as client:
        there = [(f"{one.host}:{one.pid}", one.id) for one in client.workers()]
        meant = [identity for name, identity in there if name == worker]
        if not meant:
            remedy = did_you_mean(worker, [name for name, _ in there], "`pernodedrop workers` lists them")
            raise Failure(f"no worker {worker!r} was seen lately: {remedy}")
        changed = []
        for one in meant:  # one for each of its slots
            client.drain(one)
            changed.append(client.last_changed)
    answer(as_json, {"drained": meant}, f"{worker} was asked to leave", changed=any(changed))
