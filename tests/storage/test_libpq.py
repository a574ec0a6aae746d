"""What connections take of libpq's environment: nothing for our own server, and for another what it is meant for."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.database.plainly import plainly
from service.storage.embedded import EmbeddedPostgres
from service.storage.errors import DatabaseUnreachable
from tests.foreign import HARMLESS, IN_THE_WAY, LIBPQ

STATE = "SELECT current_setting('TimeZone'), '→', current_setting('application_name'), current_setting('work_mem')"


@pytest.fixture
def libpq(database_url: str) -> Iterator[pytest.MonkeyPatch]:
    """Sets variables, which are gone again before others connect to the test's database; none is set before."""
    with pytest.MonkeyPatch.context() as patch:
        for name in LIBPQ:
            patch.delenv(name, raising=False)
        yield patch


def state(url: str) -> tuple[object, ...]:
    with Database.open(url) as db, db.engine.connect() as connection:
        return tuple(connection.execute(sa.text(STATE)).one())


@pytest.mark.parametrize("name", IN_THE_WAY)
def test_a_variable_that_keeps_us_from_another_server_is_named(
    name: str, database_url: str, libpq: pytest.MonkeyPatch
) -> None:
    libpq.setenv("PGPASSWORD", "which the address has itself")
    libpq.setenv(name, IN_THE_WAY[name])
    with Database.open(database_url) as db, pytest.raises(DatabaseUnreachable) as refused, plainly():
        db.ping()
    assert "\n" not in str(refused.value)
    assert re.search(rf"; the environment sets {name}\)", str(refused.value)), refused.value


def test_what_our_settings_say_is_not_overruled(database_url: str, libpq: pytest.MonkeyPatch) -> None:
    for name, value in HARMLESS.items():
        libpq.setenv(name, value)
    libpq.setenv("PGOPTIONS", "-c timezone=Asia/Tokyo -c work_mem=1234kB")
    assert state(database_url) == ("UTC", "→", "pernodedrop", "1234kB")


def test_another_server_takes_what_an_address_leaves_open(
    database_url: str, libpq: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = sa.make_url(database_url)
    (tmp_path / "passwords").write_text(f"{url.host}:{url.port}:*:{url.username}:{url.password}\n")
    (tmp_path / "passwords").chmod(0o600)
    (tmp_path / "services").write_text(f"[ours]\nport={url.port}\nuser={url.username}\n")
    libpq.setenv("PGPASSFILE", str(tmp_path / "passwords"))
    libpq.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    libpq.setenv("PGSERVICE", "ours")
    assert state(f"postgresql://{url.host}/{url.database}")[0] == "UTC"


def test_our_own_server_takes_nothing(postgres_folder: Path, database_url: str, libpq: pytest.MonkeyPatch) -> None:
    for name, value in LIBPQ.items():
        libpq.setenv(name, value)
    with EmbeddedPostgres(postgres_folder):
        assert state(database_url) == ("UTC", "→", "pernodedrop", "4MB")
