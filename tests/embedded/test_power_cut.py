"""A home after a loss of power: what can be mended is mended, what cannot is named with its remedy."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError
from tests.embedded.test_embedded import Owner, answers, query

# What the disk may have of a file's last writing.
CONTENTS = {"empty": b"", "zeroed": bytes(50), "truncated": b"1", "of another": b"\xff\xfe\n99999999999999\n"}
DAMAGED = {
    **dict.fromkeys(("data/postmaster.pid", "data/PG_VERSION", "password", "owner-password", "port"), tuple(CONTENTS)),
    **dict.fromkeys(("turn.lock", "owners.lock"), tuple(CONTENTS)),
    **dict.fromkeys(("data/postgresql.conf", "data/postgresql.auto.conf", "data/pg_hba.conf"), ("empty", "zeroed")),
}
MISSING = (*(name for name in DAMAGED if name != "turn.lock"), "data/base/1/PG_VERSION", "server.log")
EMPTY_FOLDERS = ("pg_notify", "pg_replslot", "pg_tblspc", "pg_twophase", "pg_snapshots", "pg_wal/archive_status")

Harm = Callable[[Path], object]


def write(name: str, kind: str) -> Harm:
    return lambda folder: (folder / name).write_bytes(CONTENTS[kind])


def remove(name: str) -> Harm:
    return lambda folder: (folder / name).unlink(missing_ok=True)  # a stopped server has no process file


def without(*names: str) -> Harm:
    def harm(folder: Path) -> None:
        for name in names:
            shutil.rmtree(folder / name)

    return harm


MENDED: dict[str, Harm] = {
    **{f"{name} {kind}": write(name, kind) for name, kinds in DAMAGED.items() for kind in kinds},
    **{f"{name} missing": remove(name) for name in MISSING},
    "empty folders missing": without(*(f"data/{name}" for name in EMPTY_FOLDERS)),
    "readable for all": lambda folder: (folder / "data").chmod(0o755),
    "port of root": lambda folder: (folder / "port").write_text("80\n"),
    "port of none": lambda folder: (folder / "port").write_text("99999\n"),
    "a file for initdb's folder": lambda folder: (folder / "data.unfinished").write_text("x"),
}


@pytest.mark.wide
@pytest.mark.parametrize("name", MENDED)
def test_what_can_be_mended_is_mended(used: Path, owner: Owner, name: str) -> None:
    MENDED[name](used / "postgres")
    assert_it_serves(owner)


def test_everything_that_can_be_mended_at_once(used: Path, owner: Owner) -> None:
    folder = used / "postgres"
    for name in ("data/postmaster.pid", "data/PG_VERSION", "password", "owner-password", "port", "data/pg_hba.conf"):
        write(name, "zeroed")(folder)
    for name in ("empty folders missing", "readable for all", "data/postgresql.conf zeroed", "turn.lock missing"):
        MENDED.get(name, remove("turn.lock"))(folder)
    assert_it_serves(owner)


def assert_it_serves(owner: Owner) -> None:
    """It serves as both roles, and does so again."""
    server = owner()
    url = server.start()
    assert answers(url)
    assert query(server.owner_url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(True,)]
    server.release()
    assert owner().start() == url


@pytest.mark.wide
def test_a_password_of_another_home_is_no_obstacle(used: Path, owner: Owner) -> None:
    for name in ("password", "owner-password"):
        (used / "postgres" / name).write_text("0" * 48)
    assert "0" * 48 in owner().start()


def lose_the_log(folder: Path) -> None:
    """Lose the last segment of the write-ahead log, with the checkpoint."""
    for segment in (folder / "data/pg_wal").iterdir():
        if segment.is_file():
            segment.unlink()


NAMED: dict[str, tuple[Harm, str]] = {
    "control file zeroed": (write("data/global/pg_control", "zeroed"), "pg_control"),
    "control file missing": (remove("data/global/pg_control"), "is not whole, it has no global/pg_control"),
    "segment missing": (lose_the_log, "could not locate a valid checkpoint record"),
    "log missing": (without("data/pg_wal"), "is not whole, it has no pg_wal"),
    "catalogue missing": (without("data/global"), "is not whole, it has no global/pg_control"),
    "no version": (
        lambda folder: [file.write_bytes(bytes(3)) for file in (folder / "data").rglob("PG_VERSION")],
        "PG_VERSION names no version of Postgres",
    ),
}

SOME = ("control file zeroed", "segment missing")


@pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.wide) for name in NAMED]
)
def test_what_cannot_be_mended_is_named(used: Path, owner: Owner, name: str) -> None:
    harm, reason = NAMED[name]
    harm(used / "postgres")
    with pytest.raises(EmbeddedPostgresError) as refused:
        owner().start()
    assert reason in str(refused.value)
    assert f"restore {used}/postgres from a backup, or move {used}/postgres/data away to start empty" in str(
        refused.value
    )
    assert "\n" not in str(refused.value)
    shutil.rmtree(used / "postgres/data")


@pytest.mark.wide
def test_a_broken_configuration_is_named_with_its_file(used: Path, owner: Owner) -> None:
    (used / "postgres/data/pg_hba.conf").write_text("nonsense\n")
    with pytest.raises(EmbeddedPostgresError, match=r"could not load .*pg_hba\.conf; mend that file, or empty it"):
        owner().start()
    (used / "postgres/data/pg_hba.conf").write_text("")
    assert answers(owner().start())


@pytest.mark.wide
def test_a_lost_password_of_a_running_server_is_not_renewed(used: Path, owner: Owner) -> None:
    url = owner().start()
    (used / "postgres/password").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="is lost while its server runs: end every service of this home"):
        owner().start()
    assert answers(url)


@pytest.mark.wide
def test_an_empty_data_folder_is_a_first_start(home: Path) -> None:
    (home / "postgres/data").mkdir(parents=True)
    (home / "postgres/turn.lock").touch()
    with EmbeddedPostgres(home / "postgres") as server:
        assert answers(server.owner_url())


def test_new_data_are_on_the_disk_before_they_have_their_name(
    home: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[bool, set[int]] = {False: set(), True: set()}  # by whether the folder has its name
    fsync, data = os.fsync, home / "postgres/data"
    written: set[int] = set()

    def noted(number: int) -> None:
        synced[data.exists()].add(os.fstat(number).st_ino)
        fsync(number)

    def renamed(place: Path, target: Path) -> Path:
        if target == data:
            written.update(each.stat().st_ino for each in (place, *place.rglob("*")))
        return rename(place, target)

    rename = Path.rename
    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "rename", renamed)
    assert answers(owner().start())
    assert len(written) > 500
    assert written <= synced[False]
    assert data.parent.stat().st_ino in synced[True]
