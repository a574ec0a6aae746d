"""Where a home may lie and what it may be called; nothing is left behind where it may not."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from service.stack import Stack
from service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, NoRoom
from tests.embedded.test_embedded import Owner, answers, postmaster

STRANGE = ("$HOME", '"', "`id`", "'", "\\", " a  b ", "ä→b", "100%d%s", ";", "*", "-x", "\udcff")


def processes_in(home: Path) -> list[str]:
    """The processes that work below `home`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = os.fspath((process / "cwd").readlink())
        except OSError:
            continue
        if place.startswith(os.fspath(home)):
            found.append(process.name)
    return found


@pytest.mark.parametrize("name", ["".join(STRANGE), *(pytest.param(one, marks=pytest.mark.wide) for one in STRANGE)])
def test_a_used_home_may_have_any_name(used: Path, name: str) -> None:
    (used / name).mkdir()
    (used / "postgres").rename(used / name / "postgres")
    with EmbeddedPostgres(used / name / "postgres") as server:
        assert answers(server.owner_url())


@pytest.mark.wide
@pytest.mark.parametrize("name", ["".join(STRANGE), "x" * 250 + "/" + "y" * 250])
def test_a_new_home_may_have_any_name(home: Path, name: str) -> None:
    with EmbeddedPostgres(home / name / "postgres") as server:
        assert answers(server.owner_url())


def nothing(_: Path) -> None:
    """Leave it as it is."""


def a_file(home: Path) -> None:
    (home / "h").write_text("years of work")


def a_link(target: str) -> Callable[[Path], None]:
    return lambda home: (home / "h").symlink_to(home / target)


REFUSED = {
    "line break": (nothing, "h\n2", "has a line break in its name"),
    "too long": (nothing, "/".join(["x" * 200] * 5), "bytes, and Postgres takes 900 at most"),
    "a part too long": (nothing, "x" * 300, "File name too long"),
    "a file": (a_file, "h", "/h is a file, and must be a folder"),
    "in a file": (a_file, "h/deeper", "/h is a file, and must be a folder"),
    "a dead link": (a_link("nowhere"), "h", "/h is a link to .*/nowhere, which is not there"),
    "a circle of links": (a_link("h"), "h", "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_home_that_cannot_be_is_refused_with_the_reason(home: Path, name: str) -> None:
    prepare, place, reason = REFUSED[name]
    prepare(home)
    before = sorted(home.iterdir())
    server = EmbeddedPostgres(home / place / "postgres")
    with pytest.raises(EmbeddedPostgresError, match=rf"{reason}.*set PERNODEDROP_HOME to another folder"):
        server.start()
    server.release()  # as a stack does in any case
    assert sorted(home.iterdir()) == before


@pytest.mark.wide
def test_a_link_to_a_folder_is_followed(used: Path) -> None:
    (used / "link").symlink_to(used)
    with EmbeddedPostgres(used / "link/postgres") as server:
        assert answers(server.owner_url())


@pytest.fixture
def mounted(home: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a tmpfs with these options, and returns its folder."""
    folder = home / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            pytest.skip("no tmpfs can be mounted here")
        return folder

    yield mount
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


@pytest.mark.parametrize("size", ["4k", *(pytest.param(size, marks=pytest.mark.wide) for size in ("1m", "30m", "36m"))])
def test_a_first_start_on_a_disk_without_room_leaves_nothing(mounted: Callable[[str], Path], size: str) -> None:
    disk = mounted(f"size={size},mode=755")
    with pytest.raises(NoRoom, match=r"the disk of .* is full: make room there$"):
        EmbeddedPostgres(disk / "deeper/home/postgres").start()
    assert list(disk.iterdir()) == []
    assert processes_in(disk) == []


def test_a_read_only_home_is_named(mounted: Callable[[str], Path]) -> None:
    disk = mounted("ro")
    with pytest.raises(EmbeddedPostgresError, match=r"home cannot be used \(Read-only file system\): set PERN"):
        EmbeddedPostgres(disk / "home/postgres").start()


@pytest.mark.wide
def test_a_used_home_that_has_become_read_only_is_named(used: Path, mounted: Callable[[str], Path]) -> None:
    disk = mounted("size=200m,mode=755")
    subprocess.run(["cp", "-a", str(used / "postgres"), str(disk)], check=True)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(EmbeddedPostgresError, match=r"Read-only file system\): set PERNODEDROP_HOME"):
        EmbeddedPostgres(disk / "postgres").start()


def test_initdb_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "h").mkdir()
    server = EmbeddedPostgres(home / "h/postgres")
    monkeypatch.setattr("service.storage.embedded.server.OWNER", "pg_reserved")
    with pytest.raises(EmbeddedPostgresError, match=r'initdb failed in .*: .*name "pg_reserved" is disallowed'):
        server.start()
    assert list((home / "h").iterdir()) == []  # the folder that was there stays


@pytest.mark.parametrize("lost", ["postgres", pytest.param("postgres/data", marks=pytest.mark.wide)])
def test_a_home_that_is_removed_while_it_serves_ends_the_service_and_its_server(used: Path, lost: str) -> None:
    stack = Stack(Settings(home=used, data_folder=used / "data"), workers=1, say=print)
    assert stack._postgres is not None
    stack._database_url = stack._postgres.start()
    assert processes_in(used)
    shutil.rmtree(used / lost)
    with pytest.raises(EmbeddedPostgresError, match=r"was (moved or )?removed while its server ran"):
        stack.check()
    stack.stop()
    assert processes_in(used) == []
    assert not (used / lost).exists()


@pytest.mark.wide
def test_a_home_that_is_moved_while_it_serves_is_whole_at_its_new_place(used: Path, owner: Owner) -> None:
    server = EmbeddedPostgres(used / "postgres")
    server.start()
    (used / "postgres").rename(used / "moved")
    with pytest.raises(EmbeddedPostgresError, match="was moved or removed while its server ran"):
        server.start()
    server.release()
    assert processes_in(used) == []
    (used / "moved").rename(used / "postgres")
    assert answers(owner().start())


@pytest.mark.wide
def test_a_server_whose_process_file_is_lost_is_ended_and_started_again(used: Path, owner: Owner) -> None:
    url = owner().start()
    before = postmaster(used)
    (used / "postgres/data/postmaster.pid").write_bytes(b"")
    assert owner().start() == url
    assert answers(url)
    assert postmaster(used) != before
