"""`enqueue` and `withdraw`."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from search_spaces.yaml_text import NotYaml, read_yaml
from service.cli.exit_codes import ExitCode, Failure
from service.cli.output import AsJson, print_json
from service.cli.session import answer, client_here, say
from service.cli.studies import StudyName
from service.cli.views import setting

commands = typer.Typer()


@commands.command()
def enqueue(
    name: StudyName,
    params: Annotated[
        list[str],
        typer.Option("--set", metavar="PARAMETER=VALUE", help="A parameter of the configuration; may be repeated."),
    ],
    outside: Annotated[
        bool,
        typer.Option(
            "--outside", help="It lies outside of the search space: compare it, and let the sampler not learn from it."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a configuration of yours next, as one of the study's trials that have not begun.

    The budget stays as it is: where every trial has begun, `pernodedrop extend STUDY --trials 1` adds one.

    The sampler draws the dimensions that you leave out, and learns from the result. With --outside it does neither:
    what you leave out is as the study fixes it, or as a training has it by default.

    Examples:

      pernodedrop enqueue my-study --set regularizer=dropout --set drop_rate=0.5

      pernodedrop enqueue my-study --set regularizer=dropout --set drop_rate=0.95 --outside
    """
    with client_here() as client:
        trial = client.enqueue(name, _read(params), outside=outside)
    if as_json:
        print_json(trial)
        return
    given = ", ".join(f"{parameter} {setting(value)}" for parameter, value in trial.params.items())
    say(f"{name} trains this next (run {trial.run}): {given}")


@commands.command()
def withdraw(
    name: StudyName,
    run: Annotated[int, typer.Argument(min=1, help="The run's number, as `enqueue` tells it.")],
    as_json: AsJson = False,
) -> None:
    """Take back a configuration that still waits in the queue; its run stays in the budget, and the sampler chooses.

    Example:

      pernodedrop withdraw my-study 12
    """
    with client_here() as client:
        waiting = client.withdraw(name, run)
    answer(as_json, waiting, f"run {run} of {name} is the sampler's again", changed=client.last_changed)


def _read(texts: Sequence[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for text in texts:
        parameter, equals, value = text.partition("=")
        if not equals or not parameter or not parameter.isprintable():
            raise Failure(f"--set takes parameter=value such as drop_rate=0.5, got {text[:60]!r}", ExitCode.WRONG)
        if parameter in params:
            raise Failure(f"--set {parameter} is given twice: a configuration has one value of it", ExitCode.WRONG)
        try:
            params[parameter] = read_yaml(value)
        except NotYaml as error:
            raise Failure(f"--set {parameter}: cannot read {value[:60]!r}: {error}", ExitCode.WRONG) from error
    return params
