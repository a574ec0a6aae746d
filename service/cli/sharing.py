"""`share` and `audit-log`: links that show one study, and who ordered what."""

from typing import Annotated

import typer
from rich.table import Table

from service.api.models.access import Shares
from service.cli.exit_codes import ExitCode, Failure
from service.cli.lasting import lasting_s
from service.cli.output import AsJson, echo, print_json, show_table
from service.cli.session import answer, client_here, console_here, say
from service.cli.studies import StudyName
from service.storage.access.bounds import LONGEST_LINK
from service.times import day, to_minute, to_second

commands = typer.Typer()


@commands.command()
def share(
    name: StudyName,
    lasts: Annotated[str, typer.Option("--for", help="The link ends after a time such as 7d, or at a date.")] = "7d",
    listed: Annotated[bool, typer.Option("--list", help="List the study's links instead.")] = False,
    revoke: Annotated[
        int | None, typer.Option(metavar="ID", help="End the link of this id instead.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a link to the study's page for somebody without a key: it shows this study alone, and orders nothing.

    Example:

      pernodedrop share my-study --for 7d
    """
    if listed and revoke is not None:
        raise Failure("give either --list or --revoke", ExitCode.WRONG)
    with client_here() as client:
        if revoke is not None:
            ended = client.revoke_share(name, revoke)
            line = f"link {revoke} of {name} is revoked: it ends within 5 s"
            answer(as_json, ended, line, changed=client.last_changed)
        elif listed:
            _list(Shares(shares=client.shares(name)), name, as_json)
        else:
            made = client.share(name, lasting_s("--for", lasts, LONGEST_LINK))
            if as_json:
                print_json(made)
                return
            echo(made.link)
            typer.echo(
                f"whoever has this link reads {name} until {to_minute(made.ends_at)}; it is not shown again, "
                f"and its id is {made.id}",
                err=True,
            )


def _list(shares: Shares, name: str, as_json: bool) -> None:
    if as_json:
        print_json(shares)
        return
    if not shares.shares:
        say(f"{name} has no links")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "made", "by", "state"):
        table.add_column(heading)
    for one in shares.shares:
        state = "revoked" if one.revoked_at else f"{'ended' if one.has_ended else 'until'} {to_minute(one.ends_at)}"
        table.add_row(str(one.id), day(one.created_at), one.created_by, state)
    show_table(console_here(), table)


@commands.command("audit-log")
def audit_log(
    name: Annotated[
        str | None, typer.Argument(help="The study, by default all, which takes an admin's key.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many orders, the newest first.")] = 100,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="The study may be deleted; this takes an admin's key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show who ordered what and when.

    Example:

      pernodedrop audit-log my-study --limit 20
    """
    with client_here() as client:
        page = client.deeds(name, limit, everywhere=deleted or name is None)
    if as_json:
        print_json(page)
        return
    if not page.deeds:
        say("nothing was ordered yet")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("time", "who", "order", "study", "details"):
        table.add_column(heading)
    for one in page.deeds:
        table.add_row(to_second(one.at), one.caller, one.deed, one.study or "-", one.detail)
    show_table(console_here(), table)
    if page.total > len(page.deeds):
        say(f"{page.total - len(page.deeds)} older ones: see --limit")
