"""All commands, and the page that introduces them."""

import typer

from service.cli import auditing, following, parts, reporting, running, studies, submitting, trials, workers

HELP = """
Tune stochastic regularization: submit a study, let workers train its trials, read the answer.

[bold]The first study[/bold], everything on this machine (Postgres, controller, dashboard, two workers):

  pernodedrop run

[bold]A service that stays[/bold], and studies sent to it from another terminal:

  pernodedrop serve
  pernodedrop submit --preset quickstart --set budget.trials=50 --watch
  pernodedrop submit my-study.yaml
  pernodedrop studies
  pernodedrop report my-study --output my-study.html

[bold]A fleet[/bold]: one Postgres, one controller, workers wherever there are devices:

  export DATABASE_URL=postgresql://user:password@host:5432/pernodedrop
  pernodedrop db init
  PERNODEDROP_API_KEY=... pernodedrop controller --host 0.0.0.0
  pernodedrop worker --device cuda:0
"""

EPILOG = """
[bold]Environment[/bold]

DATABASE_URL: a Postgres to use instead of the embedded one

PERNODEDROP_HOME: database, logs, reports; PERNODEDROP_DATA: data sets

PERNODEDROP_URL: the controller that commands talk to, default http://127.0.0.1:8000

PERNODEDROP_API_KEY: the key that the service asks for and commands send

[bold]Exit codes[/bold]

0 done, 1 failed, 2 wrong usage or definition, 3 service unreachable, 130 interrupted
"""

application = typer.Typer(
    name="pernodedrop",
    help=HELP,
    epilog=EPILOG,
    rich_markup_mode="rich",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
database = typer.Typer(help="Care for the database.", no_args_is_help=True, rich_markup_mode="rich")
database.command("init")(parts.database_init)
database.command("audit")(auditing.database_audit)

START, ASK, PARTS = "Start", "Ask a running service", "Single parts of a fleet"
application.command(rich_help_panel=START)(running.run)
application.command(rich_help_panel=START)(running.serve)
for command in (
    submitting.submit,
    studies.studies,
    following.watch,
    reporting.report,
    studies.pause,
    studies.resume,
    studies.stop,
    studies.extend,
    studies.confirm,
    studies.delete,
    trials.trial,
    trials.cancel,
    workers.workers,
    workers.drain,
    submitting.presets,
):
    application.command(rich_help_panel=ASK)(command)
application.command(rich_help_panel=ASK, context_settings={"ignore_unknown_options": True})(studies.prioritize)
application.command(rich_help_panel=PARTS)(parts.controller)
application.command(rich_help_panel=PARTS)(parts.dashboard)
application.command(
    rich_help_panel=PARTS,
    add_help_option=False,  # the worker has a help of its own
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(parts.worker)
application.add_typer(database, name="db", rich_help_panel=PARTS)
