"""`pernodedrop report`: which files it writes where."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.client import Client
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.fleet import definition_data, work

Command = Callable[..., tuple[int, str, str]]
DONE, WRONG = 0, 2
BEGINNINGS = {".html": b"<!doctype html>", ".csv": b"run,", ".parquet": b"PAR1", ".png": b"\x89PNG", ".svg": b"<?xml"}
BEGINNINGS |= {".md": b"# Methods of the study digits-1\n", ".tex": b"% \\usepackage{booktabs}\n"}


@pytest.fixture
def study(client: Client, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A finished study, and an empty folder to write to."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    client.submit(definition_data(trials=4))
    with Database.open(database_url) as database:
        work(database, studies.get(database, "digits-1"), {})
    return "digits-1"


def written() -> set[str]:
    """Every file here, each checked for the beginning that its suffix calls for; they are removed."""
    files = [path for path in Path().rglob("*") if path.is_file()]
    for path in files:
        if path.name != "paper_table.csv":
            assert path.read_bytes().startswith(BEGINNINGS[path.suffix]), path
        path.unlink()
    return {str(path) for path in files}


WRITTEN: dict[tuple[str, ...], set[str]] = {
    (): {"digits-1.html"},
    ("--output", "x.html"): {"x.html"},
    ("--format", "csv"): {f"digits-1/{name}.csv" for name in ("records", "paper_table", "trials")},
    ("-f", "csv", "-o", "out.csv"): {"out.csv"},
    ("-f", "parquet", "-o", "out"): {f"out/{name}.parquet" for name in ("records", "curves", "trials")},
    ("-f", "html", "-f", "csv", "-o", "o"): {
        "o/report.html",
        *(f"o/{name}.csv" for name in ("records", "paper_table", "trials")),
    },
    ("-f", "md", "-f", "tex"): {"digits-1/methods.md"},  # nothing is confirmed
    ("-f", "tex", "-o", "x.tex"): {"x.tex"},
    ("-o", "out"): {"out/report.html"},  # a folder by now
}


def test_what_is_written(command: Command, study: str) -> None:
    for arguments, files in WRITTEN.items():
        code, said, _ = command("report", study, *arguments)
        assert code == DONE
        assert set(said.splitlines()) == {str(Path(file).absolute()) for file in files}
        assert written() == files


def test_a_study_with_an_evaluation_has_two_tables_more(command: Command, client: Client, study: str) -> None:
    client.submit(definition_data("digits-2", confirmation={"repeats": 2}, evaluation={}))
    for form, own in (("csv", "paper_table"), ("parquet", "curves")):
        assert command("report", "digits-2", "-f", form)[0] == DONE
        names = ("records", own, "trials", "confirmation", "examinations", "detection")
        assert written() == {f"digits-2/{name}.{form}" for name in names}


def test_the_variant_to_compare_with_must_be_confirmed(command: Command, study: str) -> None:
    code, said, told = command("report", study, "-f", "md", "-o", "x.md", "--to", "dropout")
    assert (code, said) == (1, "")
    assert told == "error: no configuration of 'dropout' was confirmed in study 'digits-1': none was confirmed yet\n"


def test_figures_go_into_a_folder_of_their_own(command: Command, client: Client, study: str) -> None:
    assert command("report", study, "-f", "svg", "-f", "png", "-f", "svg")[0] == DONE
    names = [figure.name for figure in client.figures(study)]
    assert len(names) > 1
    assert written() == {f"digits-1/figures/{name}.{form}" for name in names for form in ("svg", "png")}


def test_an_unknown_format_is_wrong_usage(command: Command) -> None:
    code, said, told = command("report", "digits-1", "--format", "pdf")
    assert (code, said) == (WRONG, "")
    assert told == (
        "error: Invalid value for '--format' / '-f': must be one of html, csv, parquet, md, tex, png, svg, got 'pdf': "
        "see `pernodedrop report --help`\n"
    )
