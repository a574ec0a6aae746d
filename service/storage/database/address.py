"""Reads DATABASE_URL: what is wrong with it is said in one line that names it and never shows its password."""

import re
from collections.abc import Mapping, Sequence
from typing import NoReturn
from urllib.parse import unquote, unquote_plus

import psycopg2
import psycopg2.extensions
import sqlalchemy as sa

from pernodedrop.near import nearest

DRIVER = "postgresql+psycopg2"
_ACCEPTED = ("postgres", "postgresql", DRIVER)
_PLAIN = "write postgresql://user:password@host:5432/name"
_MOST_PORTS = 65535

# Parameters that other programs read from their URLs, and what stands in for them here.
_OTHERS = {
    "schema": "our tables are in the schema fleet",
    "pgbouncer": "a pooler in front needs no word of it",
    "ssl": "write sslmode=require",
    "connection_limit": "the number of connections follows from the number of workers",
    "pool_timeout": "it is fixed",
    "charset": "text is sent as UTF-8",
}
# Those that people write, for a near match; libpq itself decides which it takes.
_OFTEN = (
    *("application_name", "channel_binding", "connect_timeout", "dbname", "gssencmode", "host", "hostaddr", "options"),
    *("passfile", "password", "port", "service", "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs"),
    "user",
)
_SECRET = ("password", "sslpassword")
_BEGINS_PARAMETERS = re.compile(r"[?&](password|sslpassword|passfile|options|user|host)=")
_BRACKETS = re.compile(r"\[(?P<host>[^\[\]]+)\](?::(?P<port>.*))?")


def normalise_url(text: str) -> str:
    """Return `text` as a `postgresql+psycopg2://` URL; several hosts and a socket's folder become parameters.

    SQLAlchemy 2.1 reads a bare `postgresql://` as psycopg 3, and `postgres://` not at all. A host may be a socket's
    folder (`%2Frun%2Fpostgresql`), and hosts may stand side by side (`a:5432,b:5432`), as libpq has it:
    https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS.

    Raises:
        ValueError: `text` is not such a URL; the message is one line with the remedy, without the password.
    """
    text = text.strip()
    if not text.isprintable():
        _refuse("has a line break or another control character in it: leave it out")
    if text[:1] in ("'", '"'):
        _refuse("has quotation marks around it: leave them out")
    if text.startswith("DATABASE_URL="):
        _refuse("has its own name in it: leave it out")
    rest = _without_scheme(text)
    if rest.count("@") > 1:
        _refuse("has more than one @: write the one in the user name, the password or a parameter as %40")
    named, at, rest = rest.rpartition("@")
    if _BEGINS_PARAMETERS.search(named):
        _refuse("has an @ in a parameter: write it as %40")
    user, colon, password = named.partition(":")
    if "/" in user:
        _refuse("has a / in the user name: write it as %2F")
    place, _, query = rest.partition("?")
    hosts, _, name = place.partition("/")
    url = sa.URL.create(
        DRIVER,
        username=_decoded(user, "user name") or None,
        password=_decoded(password, "password") if colon else None,
        database=_decoded(name, "database") or None,
        query=_parameters(query),
    )
    url = _with_hosts(url, [_host(one, is_shown=bool(at)) for one in hosts.split(",")])
    try:
        url.get_dialect()().create_connect_args(url)
    except sa.exc.ArgumentError:
        _refuse("must give as many ports as hosts, each a number")
    return url.render_as_string(hide_password=False)


def _with_hosts(url: sa.URL, places: Sequence[tuple[str | None, int | None]]) -> sa.URL:
    [(host, port), *others] = places
    if not others and not (host or "").startswith("/"):
        return url.set(host=host, port=port)
    parameters = {"host": ",".join(host or "" for host, _ in places)}
    if any(port for _, port in places):
        parameters["port"] = ",".join(str(port or "") for _, port in places)
    return url.update_query_dict(parameters)


def _refuse(rule: str) -> NoReturn:
    raise ValueError(f"DATABASE_URL {rule}") from None


def _without_scheme(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if not mark or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        _refuse(f"is not a URL: {_PLAIN}")
    if scheme.lower() in _ACCEPTED:
        return rest
    if scheme.lower().startswith("postgres"):
        _refuse(f"names another driver, {scheme}://: write postgresql://")
    _refuse(f"must name a Postgres database (postgresql://...), got {scheme}://")


def _host(text: str, *, is_shown: bool) -> tuple[str | None, int | None]:
    """The host and the port of `host:port`; where there is no @ before, a mistaken port may be a password."""
    if brackets := _BRACKETS.fullmatch(text):
        host, port = brackets["host"], brackets["port"]
    elif "[" in text or "]" in text or text.count(":") > 1:
        _refuse("has an address of IPv6 without its brackets: write [::1]:5432")
    else:
        host, colon, port = text.partition(":")
        port = port if colon else None
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port[:9]) <= _MOST_PORTS):
        shown = f", got {port!r}" if is_shown else ": is there an @ between the password and the host?"
        _refuse(f"must have a number from 1 to {_MOST_PORTS} as its port, or no colon before it{shown}")
    host = _decoded(host, "host")
    if any(letter.isspace() for letter in host):
        _refuse("has a space in its host")
    return host or None, None if port is None else int(port)


def _decoded(text: str, part: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        _refuse(f"has a {part} whose percent signs do not stand for UTF-8: write a percent sign itself as %25")
    if "\0" in decoded:
        _refuse(f"has a NUL in its {part}")
    return decoded


def _parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    pieces = [piece.partition("=") for piece in query.split("&") if piece]
    names = [unquote_plus(name) for name, _, _ in pieces]
    has_secret = any(name in _SECRET for name in names)
    for name, (_, is_given, value) in zip(names, pieces, strict=True):
        if not _takes(name):
            _refuse(_unknown(name, is_shown=not has_secret))
        if not is_given:
            _refuse(f"gives its parameter {name} no value: write {name}=...")
        if name in found and name not in ("host", "port"):
            _refuse(f"has the parameter {name} twice")
        plain = unquote_plus(value)
        found[name] = f"{found[name]},{plain}" if name in found else plain
    return found


def _takes(name: str) -> bool:
    """Whether libpq knows the parameter."""
    if not re.fullmatch(r"\w+", name, re.ASCII):
        return False
    try:
        psycopg2.extensions.parse_dsn(f"{name}=1")
    except psycopg2.ProgrammingError:
        return False
    return True


def _unknown(name: str, *, is_shown: bool) -> str:
    if not is_shown:
        return "has a parameter that Postgres does not know: write an & in a password as %26"
    near = nearest(name, _OFTEN)
    meant = "" if near is None else f" (do you mean {near}?)"
    why: Mapping[str, str] = {key: f" ({text})" for key, text in _OTHERS.items()}
    return f"has a parameter that Postgres does not know, {name[:40]!r}{why.get(name, meant)}: leave it out"
