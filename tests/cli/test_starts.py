"""`enqueue`, and `submit --like`: a study goes on from what is known."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.client import Client
from service.storage.database.database import normalise_url

Command = Callable[..., tuple[int, str, str]]


def test_a_configuration_is_enqueued(command: Command, client: Client) -> None:
    command("submit", "--preset", "quickstart", "--name", "mine", "--set", "start_with=[{units: 64}]")
    given = ("--set", "regularizer=dropout", "--set", "drop_rate=0.1", "--set", "units=64")
    code, said, _ = command("enqueue", "mine", *given)
    assert code == 0
    assert said.startswith("mine trains this next (run 2): ")
    assert said.endswith("drop_rate 0.1, regularizer dropout, units 64\n")
    assert command("enqueue", "mine", "--set", "drop_rate=0.99", "--outside")[0] == 0
    assert [trial.origin for trial in client.trials("mine", limit=4).trials] == ["given", "given", "outside", "sampler"]
    for arguments, exit_code, message in (
        (("--set", "drop_rat=0.5"), 2, "params.drop_rat is no dimension of the search space: did you mean drop_rate?"),
        (("--set", "drop_rate"), 2, "--set takes parameter=value such as drop_rate=0.5, got 'drop_rate'"),
        (("--set", "units=1", "--set", "units=2"), 2, "--set units is given twice"),
        (("--set", "units=[1"), 2, "--set units: cannot read '[1'"),
        (("--set", "units=[1]"), 2, "body.params.units: must be text, a number, true or false"),
    ):
        code, said, told = command("enqueue", "mine", *arguments)
        assert (code, said) == (exit_code, ""), arguments
        assert told.startswith(f"error: {message}")
        assert told.count("\n") == 1


def test_a_stored_definition_is_submitted_again(command: Command, client: Client, database_url: str) -> None:
    command("submit", "--preset", "quickstart", "--name", "mine", "--set", "seed=3")
    with sa.create_engine(normalise_url(database_url)).begin() as database:  # as a release before the race stored it
        older = "UPDATE fleet.studies SET definition = definition - 'search' - 'start_with' - 'start_from'"
        database.execute(sa.text(older))
    copied = ("--name", "again", "--set", "budget.trials=9", "--set", "confirmation.top=2")
    assert command("submit", "--like", "mine", *copied)[0] == 0
    mine, again = client.study("mine").definition, client.study("again").definition
    changed = {"name": "again", "budget": {**mine["budget"], "trials": 9}, "search": "free"}
    assert again == {**mine, **changed, "confirmation": {**(mine["confirmation"] or {}), "top": 2}}
    assert command("submit", "--like", "again", "--name", "mine")[0] == 1  # taken
    for arguments, message in (
        ((), "give the copy of mine a name of its own with --name"),
        (("--name", "x", "--preset", "quickstart"), "give one of a file, --preset and --like"),
    ):
        code, _, told = command("submit", "--like", "mine", *arguments)
        assert (code, told) == (2, f"error: {message}\n")
    own = "error: give the copy of mine a name of its own as the second argument\n"
    assert command("clone", "mine", "mine")[::2] == (2, own)
    assert command("submit", "--like", "nobody", "--name", "x")[::2] == (1, "error: no study is named 'nobody'\n")


def test_run_takes_its_definition_as_submit_does(command: Command) -> None:
    for arguments, message in (
        (("quickstrt",), "there is no file and no preset 'quickstrt': did you mean quickstart?"),
        (("a.yaml", "--file", "b.yaml"), "give the definition once: as an argument or by --file"),
        (("a.yaml", "--preset", "quickstart"), "give either a file or --preset: `pernodedrop presets` lists them"),
        (("none.yaml",), "cannot read none.yaml: No such file or directory"),
    ):
        code, _, told = command("run", *arguments)
        assert (code, told) == (2, f"error: {message}\n")


@pytest.mark.parametrize("order", ["enqueue", "submit"])
def test_the_help_teaches_by_examples(command: Command, order: str) -> None:
    _, said, _ = command(order, "--help")
    assert {"enqueue": "--outside", "submit": "--like mine"}[order] in said
