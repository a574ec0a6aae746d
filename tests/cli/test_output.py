"""What commands print: JSON wherever something is shown, words that stay whole, commands that work where they stand."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from rich.console import Console
from rich.table import Table

from service.calling import as_called, called
from service.cli.application import application
from service.cli.output import show_table, wrapped
from service.storage.assignments.search_trial import SearchTrial
from service.storage.database.database import Database
from service.storage.runs import holding
from service.storage.states import RunState
from tests.storage.queueing import claimed, nothing

Command = Callable[..., tuple[int, str, str]]

STUDY = {"name", "state", "counts", "priority", "tags", "note"}
# Each command that shows something, and the fields of its JSON: REST answers in the same shape.
SHOWN: dict[tuple[str, ...], set[str]] = {
    ("submit", "quickstart", "--name", "third"): {"name", "budget", "advice", "tags", "note", "links"},
    ("submit", "quickstart", "--name", "fourth", "--dry-run"): {"name", "trials", "advice", "definition"},
    ("clone", "mine", "copy"): {"name", "state", "advice"},
    ("studies",): {"studies", "total"},
    ("studies", "mine"): {"name", "state", "definition", "best", "winner"},
    ("presets",): {"presets"},
    ("presets", "quickstart"): {"name", "task", "search_space"},
    ("trials", "mine"): {"trials", "total"},
    ("enqueue", "mine", "--set", "regularizer=dropout"): {"run", "state", "params"},
    ("workers",): {"workers"},
    ("share", "mine"): {"id", "link", "ends_at"},
    ("audit-log", "mine"): {"deeds", "total"},
    ("keys", "create", "alice", "--role", "admin"): {"name", "role", "key"},
    ("keys", "list"): {"keys"},
    ("keys", "rotate", "alice"): {"name", "role", "key"},
    ("examinations", "mine"): {"examinations", "total"},
    ("watch", "ended"): {"name", "state", "definition"},
}
# Each order likewise, one after another.
ORDERS: dict[tuple[str, ...], set[str]] = {
    ("pause", "mine"): STUDY,
    ("resume", "mine"): STUDY,
    ("prioritize", "mine", "5"): STUDY,
    ("extend", "mine", "--trials", "2"): STUDY,
    ("confirm", "mine", "--repeats", "3"): STUDY,
    ("tag", "mine", "paper"): STUDY,
    ("tag", "mine"): STUDY,
    ("note", "mine", "mended"): STUDY,
    ("note", "mine"): STUDY,
    ("withdraw", "mine", "RUN"): {"run", "state", "params"},
    ("logs", "mine", "0"): {"state", "attempts"},
    ("cancel", "mine", "0"): {"number", "state"},
    ("retry", "mine"): {"name", "retried"},
    ("drain", "host:1"): {"drained"},
    ("stop", "mine"): STUDY,
    ("delete", "mine", "--yes"): {"deleted"},
}
GROUPS = ("db", "keys", "webhooks")
# These take trials, a database, a training or a receiver.
ELSEWHERE = {"trial", "db audit", "check", "keys revoke"} | {
    f"webhooks {name}" for name in ("add", "list", "remove", "test", "retry")
}
# These only show; and what may be ordered once more when it is so already.
SHOWING = {("tag", "mine"), ("note", "mine"), ("logs", "mine", "0")}
AGAIN = {"pause", "resume", "prioritize", "tag", "note", "cancel", "drain", "stop"}
WITHOUT = {  # these write files, or run for long
    *("run", "serve", "controller", "dashboard", "worker", "reproduce", "report", "capsule", "weights"),
    *("db init", "db dump", "db restore"),
}


def test_every_command_that_shows_something_has_json() -> None:
    group = typer.main.get_command(application)
    commands = {name: one for name, one in group.commands.items() if name not in GROUPS}  # type: ignore[attr-defined]
    for above in GROUPS:
        commands |= {f"{above} {name}": one for name, one in group.commands[above].commands.items()}  # type: ignore[attr-defined]
    named = {name for name, one in commands.items() if any("--json" in each.opts for each in one.params)}
    shown = {" ".join(arguments[: 1 + (arguments[0] in GROUPS)]) for arguments in (*SHOWN, *ORDERS)}
    assert named == shown | ELSEWHERE
    assert commands.keys() - named <= WITHOUT


def test_json_is_the_whole_output_in_the_documented_shape(command: Command) -> None:
    for name in ("mine", "ended"):
        command("submit", "quickstart", "--name", name)
    command("stop", "ended")
    for arguments, fields in SHOWN.items():
        code, said, told = command(*arguments, "--json")
        assert told == ""
        assert fields <= json.loads(said).keys(), arguments
        assert code == (1 if arguments[0] == "watch" else 0), arguments  # it has no complete trial
    names = [study["name"] for study in json.loads(command("studies", "--json")[1])["studies"]]
    assert names == ["copy", "third", "ended", "mine"]  # the dry run has stored nothing


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with Database.open(database_url) as db:
        yield db


def test_an_order_answers_with_one_document(command: Command, database: Database) -> None:
    command("submit", "quickstart", "--name", "mine")
    run = json.loads(command("enqueue", "mine", "--set", "regularizer=dropout", "--json")[1])["run"]
    for arguments, fields in ORDERS.items():
        if arguments[0] == "logs":
            SearchTrial(database, claimed(database)).prepare()
            lease = claimed(database)
            SearchTrial(database, lease).prepare()
            holding.finish(database, lease, RunState.FAILED, reason="no data", tell=nothing)
        order = [str(run) if part == "RUN" else part for part in arguments]
        changes = [] if arguments in SHOWING else [True, False] if arguments[0] in AGAIN else [True]
        for changed in changes or [None]:
            code, said, told = command(*order, "--json")
            assert (code, told) == (0, ""), arguments
            assert fields <= json.loads(said).keys(), arguments
            assert json.loads(said).get("changed") is changed, arguments
        if changes == [True, False]:
            assert command(*order)[1].splitlines()[0].endswith("; nothing was changed: it was so already"), arguments
    assert command("logs", "mine", "0", "--follow", "--json")[2] == (
        "error: give either --follow or --json: a document has an end\n"
    )


def test_tags_notes_and_what_waits_are_given_and_taken_back(command: Command) -> None:
    command("submit", "quickstart", "--name", "mine")
    assert command("tag", "mine", "paper", "b")[1] == "mine has the tags b, paper\n"
    assert command("tag", "mine", "--remove", "b")[1] == "mine has the tags paper\n"
    assert command("tag", "mine", "--remove", "b")[2] == "error: mine has no tag 'b': it has paper\n"
    assert command("note", "mine", "mended labels")[1] == "mine: mended labels\n"
    listed = command("studies", "--tag", "paper")[1]
    assert "paper" in listed
    assert "mine: mended labels" in listed
    assert command("studies", "--tag", "other")[1].startswith("no study has the tag other")
    run = json.loads(command("enqueue", "mine", "--set", "regularizer=dropout", "--json")[1])["run"]
    page = json.loads(command("trials", "mine", "--where", "regularizer=dropout", "--json")[1])
    assert [one["run"] for one in page["trials"]] == [run]
    assert command("withdraw", "mine", str(run))[1] == f"run {run} of mine is the sampler's again\n"
    assert "was put into the queue" in command("withdraw", "mine", str(run))[2]
    assert json.loads(command("trials", "mine", "--json", "--where", "regularizer=dropout")[1])["total"] == 0
    studies = json.loads(command("studies", "mine", "--json")[1])
    assert studies["counts"]["waiting"] == studies["budget"]["trials"]


def test_pages_name_the_command_of_the_next_one(command: Command) -> None:
    command("submit", "quickstart", "--name", "mine")
    said = command("trials", "mine", "--limit", "3", "--state", "waiting")[1]
    assert said.splitlines()[-1] == (
        "1 to 3 of 40; the next ones: `pernodedrop trials mine --state waiting --limit 3 --offset 3`"
    )


SENTENCE = "no worker is alive, so nothing is trained: start one with `pernodedrop worker --device cuda:0`, or wait"


@pytest.mark.parametrize("width", range(40, 201, 8))
def test_text_is_wrapped_at_words_and_commands_stay_whole(width: int) -> None:
    lines = wrapped(SENTENCE, width).split("\n")
    assert " ".join(lines) == SENTENCE
    assert all(len(line) <= width for line in lines)
    assert any("`pernodedrop worker --device cuda:0`" in line for line in lines)
    assert wrapped(SENTENCE, None) == SENTENCE
    table = Table("name", "variant", "created")
    table.add_row("a-long-name-of-a-study", "pernodedrop-gaussian-dynamic", "2026-11-28")
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show_table(console, table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(word in shown for word in ("a-long-name-of-a-study", "pernodedrop-gaussian-dynamic", "2026-11-28"))
    assert all(len(line) <= width for line in shown.splitlines())


@pytest.mark.parametrize("width", range(40, 201, 8))
def test_a_table_is_squeezed_without_cutting_a_word(width: int) -> None:
    table = Table("key", "own tasks in", "state", box=None, pad_edge=False)
    name = "somebody@a-long-name.of.a.laboratory.example.org"
    table.add_row(name, "one.module, another.module", "until 2026-11-28 20:11 UTC")
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show_table(console, table)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(word in shown for word in ("another.module", "2026-11-28", *([name] if width > len(name) + 5 else [])))
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown
    assert all(len(line) <= width for line in shown.splitlines() if name not in line)


def test_printed_commands_are_called_as_their_reader_calls_the_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compose = {"PERNODEDROP_COMMAND": "docker compose exec controller pernodedrop", "PERNODEDROP_WORKER_COMMAND": "up"}
    assert as_called("see `pernodedrop watch x`", compose) == (
        "see `docker compose exec controller pernodedrop watch x`"
    )
    assert as_called("by `pernodedrop worker`", compose) == "by `up`"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [".venv/bin/pernodedrop", "serve"])  # as `make serve` begins it
    assert called("watch x", {}) == ".venv/bin/pernodedrop watch x"
    program = tmp_path / "bin" / "pernodedrop"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "argv", [str(program)])
    assert called("watch x", {}) == "pernodedrop watch x"
