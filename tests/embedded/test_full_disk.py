"""A write-ahead log whose disk is full to the last byte ends the server; the service waits for room and goes on."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.settings import Settings
from service.stack import Stack
from service.storage.embedded import EmbeddedPostgres, NoRoom
from tests.embedded.test_embedded import answers, query

SIZE = "40m"  # two segments of the log and a half


@pytest.fixture
def log_disk(used: Path) -> Iterator[Path]:
    """The folder of the write-ahead log, on a disk of its own."""
    folder = used / "postgres/data/pg_wal"
    status = folder.stat()
    subprocess.run(["cp", "-a", str(folder), str(used / "kept")], check=True)
    owner = f"uid={status.st_uid},gid={status.st_gid},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},{owner}", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    subprocess.run(["cp", "-a", f"{used}/kept/.", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(2**12)):
            pass
    return filler


def use_up(url: str) -> None:
    """Write to the log until the server has no more of it."""
    with contextlib.suppress(sa.exc.DBAPIError):
        while True:
            query(url, "SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000)), pg_switch_wal()")


@pytest.fixture
def serving(used: Path) -> Iterator[tuple[Stack, EmbeddedPostgres, list[str]]]:
    """A stack of which only Postgres was started, the server, and what was said."""
    said: list[str] = []
    stack = Stack(Settings(home=used, data_folder=used / "data"), workers=1, say=said.append)
    assert stack._postgres is not None
    stack._database_url = stack._postgres.start()
    yield stack, stack._postgres, said
    stack.stop()


def check_twice(stack: Stack) -> None:
    for _ in range(2):
        stack._checked = 0.0
        stack.check()


def test_a_disk_that_fills_up_under_a_running_server_is_named_once(
    log_disk: Path, serving: tuple[Stack, EmbeddedPostgres, list[str]]
) -> None:  # fmt: skip
    stack, server, said = serving
    stack.check()
    assert said == []
    filler = fill(log_disk)
    check_twice(stack)
    assert answers(stack._database_url)
    with pytest.raises(NoRoom, match=r"the disk of .* is full: make room there$"):
        server.check_room()
    filler.unlink()
    check_twice(stack)
    [full, goes_on] = said
    assert full.startswith("Postgres can write nothing: the disk of ")
    assert full.endswith("is full: make room there; the service waits and then goes on by itself")
    assert goes_on == "Postgres has room again"


def test_a_first_start_whose_tables_have_no_room_ends_with_the_reason(home: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", str(home)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here")
    stack = Stack(Settings(home=home, data_folder=home / "data"), workers=1, say=print)
    try:
        assert stack._postgres is not None
        stack._database_url = stack._postgres.start()
        filler = fill(home)
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - 3 * 2**19)  # room to begin with; a rollback gives it back
        with pytest.raises(NoRoom, match=r"the disk of .* is full: make room there$"):
            stack._initialise()
    finally:
        stack.stop()
        subprocess.run(["umount", "--lazy", str(home)], check=True)


def test_a_full_disk_is_waited_for(
    log_disk: Path, serving: tuple[Stack, EmbeddedPostgres, list[str]]
) -> None:  # fmt: skip
    stack, server, said = serving
    url, owner = stack._database_url, server.owner_url()
    query(url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    filler = fill(log_disk)
    use_up(owner)
    assert not answers(url)
    for _ in range(2):
        stack._checked = 0.0
        stack.check()
        assert not answers(url)
    with pytest.raises(NoRoom, match=r"the disk of .* is full: make room there$"):
        server.start()
    filler.unlink()
    check_twice(stack)
    assert query(url, "SELECT count(*) FROM kept") == [(1000,)]
    [stopped, goes_on] = said
    assert stopped.startswith("Postgres has stopped: the disk of ")
    assert "\n" not in stopped
    assert goes_on == "Postgres has room again"
