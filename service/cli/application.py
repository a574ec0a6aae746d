"""All commands, and their help page."""

from typing import Annotated

import typer

from pernodedrop.installation import installed_version
from service.cli import (
    capsules,
    checking,
    database,
    enqueueing,
    examinations,
    following,
    keys,
    listing,
    logs,
    noting,
    parts,
    reporting,
    retrying,
    running,
    sharing,
    studies,
    submitting,
    trials,
    webhooks,
    weights,
    workers,
)
from service.cli.meant import NearGroup
from service.cli.session import say

HELP = """
Tune stochastic regularization: submit a study, let workers train its trials, and read the answer.

[bold]A first study[/bold] with everything on this machine (Postgres, controller, dashboard, two workers):

  pernodedrop run

[bold]A lasting service[/bold] that receives studies from another terminal:

  pernodedrop serve
  pernodedrop submit --preset quickstart --set budget.trials=50 --watch
  pernodedrop submit my-study.yaml
  pernodedrop studies
  pernodedrop report my-study --output my-study.html

[bold]A fleet[/bold] of one Postgres, one controller, and workers on every device:

  export DATABASE_URL=postgresql://user:password@host:5432/pernodedrop
  pernodedrop db init
  PERNODEDROP_API_KEY=... pernodedrop controller --host 0.0.0.0
  pernodedrop worker --device cuda:0
"""

EPILOG = """
[bold]Environment[/bold]

DATABASE_URL: the Postgres that replaces the embedded one

PERNODEDROP_HOME: the folder of the database, logs and reports; PERNODEDROP_DATA: the folder of data sets;
PERNODEDROP_ARTIFACTS: the folder or URL of the weights that studies keep; PERNODEDROP_TASKS: folders of own tasks

PERNODEDROP_URL: the controller that commands call, by default http://127.0.0.1:8000

PERNODEDROP_COMMAND: what is typed here for pernodedrop, where that is something else, in the commands that are printed

PERNODEDROP_API_KEY: the key that commands send; for a server, a key of an admin beside those of `keys create`

[bold]Exit codes[/bold]

0 done, 1 failed, 2 wrong usage or definition, 3 service unreachable, 130 interrupted by Ctrl-C, SIGTERM or SIGHUP; \
serve, controller and dashboard end with 0 when they are told to stop
"""

application = typer.Typer(
    name="pernodedrop",
    cls=NearGroup,
    invoke_without_command=True,
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback()
def begin(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version, and end.")] = False,
) -> None:
    if version:
        say(f"pernodedrop {installed_version()}")
    elif context.invoked_subcommand is None:
        context.fail("name a command, such as submit or studies")


# Each module's commands, in the order of the help.
FLEET = "Single parts of a fleet"
PANELS = {
    "Start": (running.commands,),
    "Ask a running service": (
        submitting.commands,
        checking.commands,
        studies.commands,
        following.commands,
        reporting.commands,
        listing.commands,
        trials.commands,
        enqueueing.commands,
        noting.commands,
        examinations.commands,
        workers.commands,
        capsules.commands,
        weights.commands,
        retrying.commands,
        logs.commands,
        sharing.commands,
    ),
    FLEET: (parts.commands,),
}
for panel, groups in PANELS.items():
    for commands in groups:
        for command in commands.registered_commands:
            command.rich_help_panel = panel
        application.add_typer(commands)
application.add_typer(webhooks.commands, name="webhooks", rich_help_panel="Ask a running service")
application.add_typer(database.commands, name="db", rich_help_panel=FLEET)
application.add_typer(keys.commands, name="keys", rich_help_panel=FLEET)
