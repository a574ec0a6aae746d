"""Settings of a role, a database or an address that a session of ours does not take over."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.errors import DatabaseUnreachable


def test_settings_of_a_database_that_would_change_what_is_decided_or_read_are_ours(database_url: str) -> None:
    others = {
        "default_transaction_isolation": "repeatable read",
        "extra_float_digits": "-3",
        "standard_conforming_strings": "off",
        "datestyle": "German",
        "timezone": "Asia/Kolkata",
    }
    name = sa.make_url(database_url).database
    with Database.open(database_url) as db, db.single() as connection:
        for setting, value in others.items():
            connection.execute(sa.text(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'"))
    asked = sa.text(
        "SELECT current_setting('transaction_isolation'), 0.1::float8 + 0.2::float8, cast(0.1::float8 + 0.2 AS text), "
        "'\\', TIMESTAMPTZ '2026-02-01 00:00Z'"
    )
    with Database.open(database_url) as db, db.engine.connect() as ours, db.single() as alone:
        for connection in (ours, alone):
            found = tuple(connection.execute(asked).one())
            digits = 0.1 + 0.2
            assert found == ("read committed", digits, repr(digits), "\\", datetime(2026, 2, 1, tzinfo=UTC))


def test_sessions_that_do_not_take_our_isolation_are_refused(database_url: str) -> None:
    """As behind a pooler that ignores `options`, where the role has another one."""
    other = "options=-c default_transaction_isolation=repeatable\\ read".replace("\\", "%5C").replace(" ", "%20")
    with (
        Database.open(f"{database_url}?{other}") as db,
        pytest.raises(DatabaseUnreachable, match=r"must be 'read committed', got 'repeatable read': .*ALTER"),
    ):
        db.check_ready()
