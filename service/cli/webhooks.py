"""`webhooks`: who is told when a study ends, is decided, fails or pauses itself, or when no worker is alive."""

import time
from typing import Annotated

import typer
from rich.table import Table

from pernodedrop.near import hint
from service.api.models import DeliveryOut, WebhookOut, Webhooks
from service.cli.exit_codes import ExitCode, Failure
from service.cli.meant import NearGroup
from service.cli.output import AsJson, print_json, show_table
from service.cli.session import answer, client_here, console_here, say
from service.client import Client
from service.storage.webhooks.kinds import SUBSCRIBED
from service.times import to_second

TEST_S = 40.0  # s for which `test` waits for its delivery
_LOOK_S = 0.3

commands = typer.Typer(
    cls=NearGroup, help="Tell other programs what happens.", no_args_is_help=True, rich_markup_mode="rich"
)
Number = Annotated[int, typer.Argument(min=1, help="The webhook's number, as `pernodedrop webhooks list` shows it.")]


@commands.command()
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="Messages are posted here.")],
    on: Annotated[
        str,
        typer.Option("--on", metavar="EVENT,...", help=f"Of {', '.join(SUBSCRIBED)}.", show_default="all"),
    ] = ",".join(SUBSCRIBED),
    study: Annotated[
        str, typer.Option("--study", metavar="PATTERN", help="Of studies of these names alone, such as cifar10-*.")
    ] = "*",
    as_json: AsJson = False,
) -> None:
    """Register an address. The secret that its messages are signed with is shown once.

    Example:

      pernodedrop webhooks add https://hooks.example.org/pernodedrop --on complete,failed --study 'cifar10-*'
    """
    wanted = [name.strip() for name in on.split(",") if name.strip()]
    for name in wanted:
        if name not in SUBSCRIBED:
            known = list(SUBSCRIBED)
            raise Failure(f"--on takes {', '.join(known)}, got {name!r}{hint(name, known)}", ExitCode.WRONG)
    if not wanted:
        raise Failure(f"--on names no event: it takes {', '.join(SUBSCRIBED)}", ExitCode.WRONG)
    with client_here() as client:
        made = client.add_webhook(url, wanted, study)
    if as_json:
        print_json(made)
        return
    say(f"webhook {made.id} is told of {', '.join(made.events)} of {_studies(made)}")
    say(f"its secret, which is shown only now: {made.secret}")
    say(f"`pernodedrop webhooks test {made.id}` sends it a first message")


@commands.command("list")
def listed(as_json: AsJson = False) -> None:
    """List the webhooks, and how each one's last delivery went."""
    with client_here() as client:
        found = client.webhooks()
    if as_json:
        print_json(Webhooks(webhooks=found))
        return
    if not found:
        say("there is no webhook: `pernodedrop webhooks add URL` registers one")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("webhook", "url", "events", "studies", "waiting", "dead", "last delivery"):
        table.add_column(heading)
    for one in found:
        counts = (str(one.waiting), str(one.dead))
        table.add_row(str(one.id), one.url, ", ".join(one.events), one.studies, *counts, _last(one))
    show_table(console_here(), table)
    for one in found:
        if one.dead:
            say(f"webhook {one.id}: {one.dead} given up; `pernodedrop webhooks retry {one.id}` tries them anew")


@commands.command()
def remove(webhook: Number, as_json: AsJson = False) -> None:
    """Remove a webhook with what it was still to be told."""
    with client_here() as client:
        client.remove_webhook(webhook)
    answer(as_json, {"removed": webhook}, f"webhook {webhook} is removed", changed=client.last_changed)


@commands.command()
def test(webhook: Number, as_json: AsJson = False) -> None:
    """Send a webhook a message of the type test, and say what became of it."""
    with client_here() as client:
        sent = client.test_webhook(webhook)
        told = _awaited(client, webhook, sent)
    if told.state == "waiting":
        raise Failure(f"it was not sent within {TEST_S:g} s: is a controller running?")
    if told.state == "dead":
        raise Failure(f"webhook {webhook} was not told: {told.error}")
    line = f"webhook {webhook} was told, and answered with status {told.status}"
    answer(as_json, told, line, changed=client.last_changed)


@commands.command()
def retry(webhook: Number, as_json: AsJson = False) -> None:
    """Let what a webhook was not told, and was given up, be tried anew."""
    with client_here() as client:
        again = client.retry_webhook(webhook)
    line = f"{again or 'no'} {'delivery waits' if again == 1 else 'deliveries wait'} again"
    answer(as_json, {"retried": again}, line, changed=client.last_changed)


def _awaited(client: Client, webhook: int, sent: DeliveryOut) -> DeliveryOut:
    until = time.monotonic() + TEST_S
    while sent.state == "waiting" and time.monotonic() < until:
        time.sleep(_LOOK_S)
        last = next((one.last for one in client.webhooks() if one.id == webhook), None)
        if last is not None and last.id == sent.id:
            sent = last
    return sent


def _studies(webhook: WebhookOut) -> str:
    return "every study" if webhook.studies == "*" else f"studies named {webhook.studies}"


def _last(webhook: WebhookOut) -> str:
    last = webhook.last
    if last is None or last.tried_at is None:
        return "none yet"
    what = last.type if last.study is None else f"{last.type} of {last.study}"
    if last.state == "delivered":
        return f"{what}: delivered, status {last.status}"
    tries = "one try" if last.tries == 1 else f"{last.tries} tries"
    then = "given up" if last.state == "dead" else f"the next at {to_second(last.next_at)}"
    return f"{what}: {last.error or 'under way'} ({tries}, {then})"
