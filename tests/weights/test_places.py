"""A place that can keep nothing is refused where a worker or the service starts, in one line that says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.storage.places import unusable
from tests.api.configuring import NO_DATABASE

UNUSABLE = {
    "memory://weights": "what is kept there is gone with the process that wrote it: name a folder or a store",
    "s4://bucket": "Protocol not known: s4",
    "file://host/weights": "a file URL has an absolute path, as in file:///host/weights",
    "{tmp}/file": "{tmp}/file is no folder",
    "{tmp}/file/weights": "{tmp}/file is no folder",
    "{tmp}/link": "{tmp}/link is no folder",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    return tmp_path


def test_a_place_may_be_made_later(folder: Path) -> None:
    for place in (None, folder, folder / "new" / "one", f"file://{folder}/new", f"file:{folder}/new"):
        assert unusable(None if place is None else str(place)) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_none(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o500)
    assert unusable(str(closed / "weights")) == f"{closed} cannot be written"


@pytest.mark.parametrize("place", UNUSABLE)
def test_a_place_that_can_keep_nothing_is_told(place: str, folder: Path) -> None:
    assert unusable(place.format(tmp=folder)) == UNUSABLE[place].format(tmp=folder)


def test_a_store_that_cannot_be_opened_is_told_in_one_line(folder: Path) -> None:
    found = unusable(f"zip://inside::{folder}/none.zip")
    assert found is not None
    assert found.startswith("FileNotFoundError: ")
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        (["service.cli", "run"], {"ARTIFACTS": "{tmp}/file"}, "PERNODEDROP_ARTIFACTS cannot be {tmp}/file: "),
        (["service.cli", "serve"], {"CHECKPOINTS": "memory://a"}, "PERNODEDROP_CHECKPOINTS cannot be memory://a: "),
        (["service.cli", "serve"], {"ARTIFACTS": "~nobody-here/a"}, "PERNODEDROP_ARTIFACTS cannot be ~nobody-here/a: "),
        (["workers"], {"ARTIFACTS": "{tmp}/file"}, "--artifacts {tmp}/file: {tmp}/file is no folder"),
        (["workers", "--checkpoints", "s4://a"], {}, "--checkpoints s4://a: Protocol not known"),
    ],
)
def test_nothing_starts_that_would_lose_what_it_keeps(
    command: list[str], variables: dict[str, str], said: str, folder: Path
) -> None:
    own = {f"PERNODEDROP_{name}": value.format(tmp=folder) for name, value in variables.items()}
    environment = {**os.environ, "DATABASE_URL": NO_DATABASE, "PERNODEDROP_HOME": str(folder / "home"), **own}
    done = subprocess.run(
        [sys.executable, "-m", *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: {said.format(tmp=folder)}")
    assert not (folder / "home").exists()
