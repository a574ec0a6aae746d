"""DATABASE_URL in every spelling: it is read, or refused in one line that names it and hides its password."""

import pytest
import sqlalchemy as sa

from service.cli import main
from service.storage.database.address import normalise_url
from service.storage.database.database import Database
from service.storage.errors import DatabaseUnreachable

SECRET = "s3cret"  # a part of every password here

TAKEN = {
    "postgres://u:s3cret@h:5433/d": {"user": "u", "password": "s3cret", "host": "h", "port": 5433, "dbname": "d"},
    " POSTGRESQL://h/d ": {"host": "h", "dbname": "d"},
    "postgresql://u:s3cret%40%2F%25@h/d": {"user": "u", "password": "s3cret@/%", "host": "h", "dbname": "d"},
    "postgresql://u:s3cret/?#[]: x@h/d": {"user": "u", "password": "s3cret/?#[]: x", "host": "h", "dbname": "d"},
    "postgresql://u:100%s3cret@h/d": {"user": "u", "password": "100%s3cret", "host": "h", "dbname": "d"},
    "postgresql://u%40tenant@[::1]:5433/d": {"user": "u@tenant", "host": "::1", "port": 5433, "dbname": "d"},
    "postgresql://u@%2Frun%2Fpg/d": {"user": "u", "host": "/run/pg", "dbname": "d"},
    "postgresql:///d?host=/run/pg&port=5433": {"host": "/run/pg", "port": "5433", "dbname": "d"},
    "postgresql://a:1,b:2,c/d": {"host": "a,b,c", "port": "1,2,", "dbname": "d"},
    "postgresql://a,[::1]/d": {"host": "a,::1", "port": ",", "dbname": "d"},
    "postgresql://h/d?password=s3cret%40&sslmode=require": {
        "host": "h",
        "dbname": "d",
        "password": "s3cret@",
        "sslmode": "require",
    },
    "postgresql://h/d%C3%A9?options=-csearch_path%3Dx": {"host": "h", "dbname": "dé", "options": "-csearch_path=x"},
}

REFUSED = {
    "": "is not a URL: write postgresql://user:password@host:5432/name",
    "h:5432/d": "is not a URL",
    "host=h password=s3cret": "is not a URL",
    "jdbc:postgresql://u:s3cret@h/d": "is not a URL",
    "'postgresql://u:s3cret@h/d'": "quotation marks around it",
    '"postgresql://u:s3cret@h/d"': "quotation marks around it",
    "DATABASE_URL=postgresql://u:s3cret@h/d": "has its own name in it",
    "postgresql://u:s3cret\n@h/d": "control character",
    "sqlite:///s3cret.db": "must name a Postgres database (postgresql://...), got sqlite://",
    "mysql+pymysql://u:s3cret@h/d": "got mysql+pymysql://",
    "postgresql+asyncpg://u:s3cret@h/d": "names another driver, postgresql+asyncpg://: write postgresql://",
    "postgresql+psycopg://u:s3cret@h/d": "names another driver, postgresql+psycopg://: write postgresql://",
    "postgresql://u:a@s3cret@h/d": "more than one @: write the one in the user name, the password",
    "postgresql://u:a@b/s3cret@h/d": "more than one @",
    "postgresql://u:a@b?s3cret@h/d": "more than one @",
    "postgresql://h:1/d?password=a@s3cret": "an @ in a parameter: write it as %40",
    "postgresql://u/x:s3cret@h/d": "a / in the user name: write it as %2F",
    "postgresql://u:s3cret/d": "is there an @ between the password and the host?",
    "postgresql://u:s3cret@h:0/d": "a number from 1 to 65535 as its port, or no colon before it, got '0'",
    "postgresql://u:s3cret@h:70000/d": "got '70000'",
    "postgresql://u:s3cret@h:five/d": "got 'five'",
    "postgresql://u:s3cret@h:/d": "got ''",
    "postgresql://u:s3cret@h:-1/d": "got '-1'",
    "postgresql://u:s3cret@h:٣/d": "got '٣'",
    "postgresql://u:s3cret@::1:5432/d": "an address of IPv6 without its brackets: write [::1]:5432",
    "postgresql://u:s3cret@[::1/d": "an address of IPv6 without its brackets",
    "postgresql://u:s3cret@h x/d": "a space in its host",
    "postgresql://u:s3cret%ff@h/d": "a password whose percent signs do not stand for UTF-8",
    "postgresql://u:s3cret%00@h/d": "a NUL in its password",
    "postgresql://u:s3cret@h/d?schema=public": "'schema' (our tables are in the schema fleet): leave it out",
    "postgresql://u:s3cret@h/d?pgbouncer=true": "'pgbouncer' (a pooler in front needs no word of it): leave it out",
    "postgresql://u:s3cret@h/d?sslmod=require": "'sslmod' (do you mean sslmode?): leave it out",
    "postgresql://u:s3cret@h/d?ssl=true": "'ssl' (write sslmode=require)",
    "postgresql://h/d?password=a&s3cret=1": "a parameter that Postgres does not know: write an & in a password as %26",
    "postgresql://u:s3cret@h/d?sslmode": "gives its parameter sslmode no value",
    "postgresql://u:s3cret@h/d?sslmode=a&sslmode=b": "the parameter sslmode twice",
    "postgresql://u:s3cret@/d?host=a,b&port=1,2,3": "as many ports as hosts",
    "postgresql://u:s3cret@/d?host=a&port=x": "as many ports as hosts, each a number",
}


def arguments(url: str) -> dict[str, object]:
    """What psycopg2 is given for an address."""
    address = sa.make_url(url)
    return dict(address.get_dialect()().create_connect_args(address)[1])


@pytest.mark.parametrize("text", TAKEN)
def test_it_is_read(text: str) -> None:
    url = normalise_url(text)
    assert url.startswith("postgresql+psycopg2://")
    assert arguments(url) == TAKEN[text]
    assert normalise_url(url) == url


@pytest.mark.parametrize("text", REFUSED)
def test_it_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^DATABASE_URL ") as caught:
        normalise_url(text)
    said = str(caught.value)
    assert REFUSED[text] in said
    assert SECRET not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "command", [["db", "init"], ["db", "audit"], ["controller"], ["dashboard"], ["serve"], ["run"]]
)
def test_every_command_says_so(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:a@s3cret@h/d")
    assert main(command) == 2
    assert capsys.readouterr().err.startswith("error: DATABASE_URL has more than one @")


def test_a_worker_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from workers import __main__ as worker

    monkeypatch.setenv("DATABASE_URL", "postgresql://u:a@s3cret@h/d")
    monkeypatch.setattr(worker, "Signals", lambda *_: None)
    assert worker.main([]) == 2
    assert capsys.readouterr().err.startswith("error: DATABASE_URL has more than one @")


def test_our_time_limits_stand_beside_the_users_options(database_url: str) -> None:
    url = sa.make_url(database_url).update_query_dict(
        {"options": "-c statement_timeout=5000 -c search_path=pg_catalog"}
    )
    with Database.open(url.render_as_string(hide_password=False)) as db, db.engine.connect() as connection:
        names = ("statement_timeout", "search_path", "lock_timeout", "client_encoding")
        shown = [connection.execute(sa.text(f"SHOW {name}")).scalar_one() for name in names]
    assert shown == ["5s", "pg_catalog", "30s", "UTF8"]


def test_of_several_hosts_the_one_that_takes_writes_is_found(database_url: str, unused_port: int) -> None:
    address = sa.make_url(database_url)
    hosts = f"127.0.0.1:{unused_port},127.0.0.1:{address.port}"
    user = f"{address.username}:{address.password}"
    with Database.open(f"postgresql://{user}@{hosts}/{address.database}?target_session_attrs=read-write") as db:
        db.check_ready()


def test_what_libpq_cannot_read_is_no_outage(database_url: str) -> None:
    url = sa.make_url(database_url).update_query_dict({"sslmode": "sometimes"}).render_as_string(hide_password=False)
    with Database.open(url) as db, pytest.raises(DatabaseUnreachable, match="cannot be asked") as caught:
        db.check()
    assert 'invalid sslmode value: "sometimes"' in str(caught.value)
    assert not caught.value.passes
