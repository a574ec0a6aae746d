import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from search_spaces import load_preset, parse_definition
from service.cli import main
from service.cli.continuation import submit_under_free_name, unfinished
from service.cli.following import NO_WORKER
from service.client import Client, Refused
from service.dashboard.listing.routes import fleet_of, nothing_yet
from service.reports.markup import with_commands
from tests.cli.conftest import KEY

Command = Callable[..., tuple[int, str, str]]

DONE, FAILED, WRONG, UNREACHABLE = 0, 1, 2, 3


def test_a_study_is_submitted_listed_paused_resumed_stopped_and_deleted(command: Command) -> None:
    assert command("submit", "--preset", "quickstart", "--name", "mine", "--set", "budget.trials=7")[:2] == (
        DONE,
        "submitted mine: 7 runs wait for workers\n"
        "follow it:  pernodedrop watch mine\n"
        "dashboard:  http://127.0.0.1:8080/studies/mine\n",
    )
    listed = command("studies")[1]
    assert "mine" in listed
    assert "0/7" in listed
    assert command("pause", "mine")[:2] == (DONE, "mine is paused\n")
    assert command("resume", "mine")[:2] == (DONE, f"mine is running\n{NO_WORKER}\n")
    assert command("stop", "mine")[:2] == (DONE, "mine is stopped\n")
    assert command("delete", "mine", "--yes")[:2] == (DONE, "deleted mine\n")
    assert command("studies")[1].startswith("no study yet")


def test_an_empty_dashboard_shows_a_command_that_works(command: Command) -> None:
    page = with_commands(fleet_of([])) + nothing_yet()
    worker, shown = re.findall(r"<code>pernodedrop (.+?)</code>", page)
    assert worker == "worker"
    assert command(*shlex.split(shown))[0] == DONE


def test_deleting_asks_first(command: Command, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    command("submit", "--preset", "quickstart")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, _, told = command("delete", "quickstart")
    assert code == 130
    assert "nothing was changed" in told
    assert client.study("quickstart").name == "quickstart"


def test_a_file_with_broken_rules_names_each_of_them(command: Command, tmp_path: Path, client: Client) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("name: Not A Name\ntask: {name: digits}\nbudget: {trials: 0}\nsearch_space: {}\n")
    code, said, told = command("submit", str(file))
    assert (code, said) == (WRONG, "")
    lines = told.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    assert any("budget.trials" in line for line in lines)
    assert any("name" in line for line in lines)
    assert list(client.studies()) == []


def test_a_taken_name_and_an_unknown_study_fail(command: Command) -> None:
    command("submit", "--preset", "quickstart")
    for arguments in (
        ("submit", "--preset", "quickstart"),
        ("watch", "nobody"),
        ("report", "nobody"),
        ("stop", "nobody"),
        ("studies", "nobody"),
        ("delete", "nobody", "--yes"),
    ):
        code, said, told = command(*arguments)
        assert (code, said) == (FAILED, ""), arguments
        assert told.startswith("error: ")
        assert told.count("\n") == 1


def test_watching_a_stopped_study_ends_and_says_that_it_has_no_answer(command: Command) -> None:
    command("submit", "--preset", "quickstart")
    command("stop", "quickstart")
    code, said, _ = command("watch", "quickstart")
    assert code == FAILED
    assert "quickstart: 40/40 runs (0 complete, 0 pruned, 0 running, 40 cancelled)" in said
    assert "no trial of quickstart is complete" in said


def test_a_report_is_written_as_a_page(command: Command, tmp_path: Path) -> None:
    command("submit", "--preset", "quickstart")
    output = tmp_path / "deep" / "report.html"
    assert command("report", "quickstart", "--output", str(output))[:2] == (DONE, f"{output}\n")
    assert output.read_text().lstrip().lower().startswith("<!doctype html>")
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    code, _, told = command("report", "quickstart", "--output", f"{output}/below")
    assert code == FAILED
    assert told.startswith("error: cannot write")


def test_no_worker_is_said(command: Command) -> None:
    assert command("workers")[:2] == (DONE, "no worker was seen lately: start one with `pernodedrop worker`\n")


def test_a_wrong_or_missing_key_is_refused_and_never_shown(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("wrong", ""):
        monkeypatch.setenv("PERNODEDROP_API_KEY", key)
        code, said, told = command("studies")
        assert (code, said) == (FAILED, "")
        assert "PERNODEDROP_API_KEY" in told
        assert KEY not in told
        assert "wrong\n" not in told


def test_an_unfinished_study_of_the_same_definition_is_found(command: Command, client: Client) -> None:
    command("submit", "--preset", "quickstart", "--set", "budget.trials=5")
    definition = dict(client.study("quickstart").definition)
    assert unfinished(client, {**definition, "repeats": 2}) is None
    command("stop", "quickstart")
    assert unfinished(client, definition) is None
    assert submit_under_free_name(client, definition) == "quickstart-2"
    found = unfinished(client, definition)
    assert found is not None
    assert found.name == "quickstart-2"
    assert submit_under_free_name(client, definition) == "quickstart-3"
    with pytest.raises(Refused, match="name"):
        submit_under_free_name(client, {**definition, "name": "Not A Name"})


def test_a_study_of_an_earlier_release_is_continued_where_the_file_does_not_name_its_search(client: Client) -> None:
    today = parse_definition(load_preset("quickstart") | {"name": "earlier"}).model_dump(mode="json")
    assert today["search"] == "race"
    client.submit({**today, "search": "free"})  # as the study of an earlier release is read
    assert unfinished(client, today) is None
    found = unfinished(client, today, names_search=False)
    assert found is not None
    assert (found.name, found.definition["search"]) == ("earlier", "free")
    assert unfinished(client, {**today, "repeats": 2}, names_search=False) is None
    assert submit_under_free_name(client, today) == "earlier-2"
    equal = unfinished(client, today, names_search=False)  # an equal one comes first
    assert equal is not None
    assert equal.name == "earlier-2"
    client.change("earlier-2", "stop")
    fair = {**today, "search": "fair"}
    assert unfinished(client, fair, names_search=False) is None
    older = {**today, "name": "older"}
    client.submit({**older, "search": "free", "keep": "none"})  # which could not keep weights either
    found = unfinished(client, older, names_search=False)
    assert found is not None
    assert (found.name, found.definition["keep"]) == ("older", "none")
    assert unfinished(client, {**older, "keep": "best"}, names_search=False) is None


@pytest.mark.usefixtures("no_environment")
def test_nobody_at_the_address_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, unused_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:9")  # a proxy cannot reach our loopback, and is not asked
    assert main(["studies"]) == UNREACHABLE
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"no controller answers at http://127.0.0.1:{unused_port}" in told
    assert "pernodedrop serve" in told


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["studeis"], "there is no command"),
        (["submit", "--no-such-option"], "No such option"),
        (["run", "--workers", "0"], "Invalid value for '--workers'"),
        (["run", "--preset", "quickstart", "--set", "budget.trials=0"], "budget.trials"),
        (["controller"], "DATABASE_URL is not set"),
        (["dashboard"], "DATABASE_URL is not set"),
        (["db", "init"], "DATABASE_URL is not set"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == WRONG
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.usefixtures("no_environment")
def test_wrong_variables_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://somewhere/else")
    assert main(["db", "init"]) == WRONG
    assert "DATABASE_URL must name a Postgres" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:very-secret@127.0.0.1:1/x")
    assert main(["db", "init"]) == UNREACHABLE
    assert "very-secret" not in capsys.readouterr().err
    for address in ("127.0.0.1:8000", "ftp://a", "http://", "http://a:x"):
        monkeypatch.setenv("PERNODEDROP_URL", address)
        assert main(["studies"]) == WRONG
        assert "PERNODEDROP_URL must be an address" in capsys.readouterr().err


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize("part", ["controller", "dashboard"])
def test_an_open_address_without_a_key_is_refused(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/x")
    assert main([part, "--host", "0.0.0.0"]) == WRONG
    assert "PERNODEDROP_API_KEY" in capsys.readouterr().err


def test_the_database_is_initialised_twice_without_harm(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    for _ in range(2):
        assert main(["db", "init"]) == DONE
        assert capsys.readouterr().out == "the database is ready\n"


@pytest.mark.usefixtures("no_environment")
def test_presets_need_no_service(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == DONE
    assert "quickstart" in capsys.readouterr().out
    assert main(["presets", "quickstart"]) == DONE
    assert capsys.readouterr().out.startswith("# The first study to run")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["submit", "-h"], ["db", "--help"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == DONE
    said = capsys.readouterr().out
    assert "Usage: pernodedrop" in said
    if arguments == ["--help"]:
        codes = "0 done, 1 failed, 2 wrong usage or definition, 3 service unreachable, 130 interrupted"
        assert codes in " ".join(said.split())


@pytest.mark.usefixtures("no_environment")
def test_a_home_that_cannot_be_made_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    tmp_path.chmod(0o755)
    monkeypatch.setenv("PERNODEDROP_HOME", str(tmp_path / "file" / "home"))
    assert main(["run"]) == FAILED
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path / 'file'} is a file, and must be a folder: set PERNODEDROP_HOME")
    assert told.count("\n") == 1
