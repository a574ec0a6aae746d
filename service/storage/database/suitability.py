"""Whether a database can hold our tables, and this role may work with them; if not, one line that says what to do."""

from collections.abc import Sequence

import sqlalchemy as sa

from service.storage.database.tables import SCHEMA
from service.storage.errors import DatabaseUnreachable, DatabaseUnsuitable
from service.storage.optuna import tables as optunas

ISOLATION = "read committed"
OLDEST = 13  # the first Postgres with gen_random_uuid, which claims use
_VERSION_TABLE = optunas.VERSION_TABLE

_SERVER = sa.text(
    """
    SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int / 10000 AS major,
        pg_encoding_to_char(encoding) AS encoding
    FROM pg_database WHERE datname = current_database()
    """
)

_LITTLE_MEMORY = sa.text("SET LOCAL work_mem = '64kB'; SET LOCAL temp_tablespaces = ''")
_LIMIT = "53400"  # temp_file_limit, which says nothing of the disk
_SPILL = sa.text("SELECT count(*) FROM generate_series(1, 60000)")  # what a function in FROM returns is kept
_READ_ONLY = sa.text(
    "SELECT pg_is_in_recovery() AS is_standby, current_setting('transaction_read_only')::bool AS is_read_only, "
    "current_setting('default_transaction_isolation') AS isolation, format('%I', current_user) AS role"
)

_OUR_RUNS = sa.text(
    f"""
    SELECT EXISTS (
        SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.relnamespace = to_regnamespace('{SCHEMA}') AND c.relname = 'runs' AND a.attname = 'lease_until')
    """
)

_RELATIONS = sa.text(
    f"""
    SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('{SCHEMA}') AND relname <> '{_VERSION_TABLE}'
        AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1
    """
)

# What making the tables takes; a row for each right that is missing, with the statement that grants it.
_MAKING = sa.text(
    f"""
    SELECT 'CREATE' AS needed, format('the database %I', current_database()) AS place,
        format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) AS remedy, current_user AS role
    WHERE to_regnamespace('{SCHEMA}') IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
    UNION ALL
    SELECT needed, format('the schema %s', name), format('GRANT %s ON SCHEMA %s TO %I', needed, name, current_user),
        current_user
    FROM unnest(ARRAY['{SCHEMA}'] || CASE WHEN :makes_optunas THEN ARRAY[current_schema()::text] END) AS name
    CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS needed
    WHERE to_regnamespace(quote_ident(name)) IS NOT NULL
        AND NOT has_schema_privilege(to_regnamespace(quote_ident(name)), needed)
    """
)

# What working with the tables takes. A right on the schema comes first: without it no table can be looked up.
_WORKING = sa.text(
    f"""
    WITH tables AS (
        SELECT oid, relkind FROM pg_class
        WHERE relnamespace = to_regnamespace('{SCHEMA}') AND relkind = 'r' AND relname <> '{_VERSION_TABLE}'
        UNION ALL
        SELECT c.oid, c.relkind FROM pg_class c JOIN unnest(cast(:optunas AS text[])) AS name
            ON c.oid = to_regclass(name)
        UNION ALL
        SELECT s.oid, s.relkind FROM pg_class s JOIN pg_depend d ON d.objid = s.oid AND d.deptype = 'a'
            JOIN unnest(cast(:optunas AS text[])) AS name ON d.refobjid = to_regclass(name)
        WHERE s.relkind = 'S')
    SELECT needed, format('%s', oid::regclass) AS place,
        format('GRANT %s ON %s%s TO %I', needed, CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END, oid::regclass,
            current_user) AS remedy,
        current_user AS role
    FROM tables CROSS JOIN LATERAL unnest(CASE relkind WHEN 'S' THEN ARRAY['USAGE']
        ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) AS needed
    WHERE NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, needed) ELSE has_table_privilege(oid, needed) END
    LIMIT 1
    """
)

_ENTERING = sa.text(
    f"""
    SELECT 'USAGE' AS needed, 'the schema {SCHEMA}' AS place,
        format('GRANT USAGE ON SCHEMA {SCHEMA} TO %I', current_user) AS remedy, current_user AS role
    WHERE NOT has_schema_privilege(to_regnamespace('{SCHEMA}'), 'USAGE')
    """
)


# Where Optuna's tables are, if the search path of this user does not lead to them; those that it may use come first.
_ELSEWHERE = sa.text(
    """
    SELECT format('%I', n.nspname) AS place, format('%I', current_user) AS role,
        has_schema_privilege(n.oid, 'USAGE') AS may_enter
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = :table AND c.relkind = 'r' AND to_regclass(:table) IS NULL
    ORDER BY may_enter DESC, place
    LIMIT 1
    """
)


def check_server(connection: sa.Connection) -> None:
    """Raise where new tables cannot be made well.

    Raises:
        DatabaseUnsuitable: the server is too old, the encoding cannot hold every text, or there is no schema to use.
    """
    server = connection.execute(_SERVER).one()
    if server.major < OLDEST:
        raise DatabaseUnsuitable(f"the database is Postgres {server.version}, and {OLDEST} or a later one is needed")
    if server.encoding != "UTF8":
        raise DatabaseUnsuitable(
            f"the database has the encoding {server.encoding}, which cannot hold every text: "
            "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0, and name it in DATABASE_URL"
        )
    if connection.execute(sa.text("SELECT current_schema()")).scalar_one() is None:
        raise DatabaseUnsuitable(
            "the search path of the user names no schema that is there: ALTER ROLE ... SET search_path = public"
        )


def check_reading(connection: sa.Connection) -> None:
    """Raises DatabaseUnreachable where this role may not even look at our tables."""
    _raise_first(connection.execute(_ENTERING).first())


def check_making(connection: sa.Connection, *, makes_optunas: bool) -> None:
    """Raises DatabaseUnreachable where this role may not make the tables, or nobody may write."""
    check_writable(connection)
    _raise_first(connection.execute(_MAKING, {"makes_optunas": makes_optunas}).first())


def check_rights(connection: sa.Connection) -> None:
    """Raises DatabaseUnreachable where this role may not work with the tables."""
    _raise_first(connection.execute(_WORKING, {"optunas": list(optunas.NAMES)}).first())


def check_search_path(connection: sa.Connection) -> None:
    """Raises DatabaseUnreachable where our tables are there and this role's search path misses Optuna's beside them.

    `db init` would make empty ones in another schema, and whoever finds those knows none of the trials.
    """
    found = connection.execute(_ELSEWHERE, {"table": optunas.DISTINCTIVE}).first()
    if found is not None:
        remedy = (
            f"ALTER ROLE {found.role} SET search_path = {found.place}"
            if found.may_enter
            else f"GRANT USAGE ON SCHEMA {found.place} TO {found.role}"
        )
        raise DatabaseUnreachable(
            f"the tables of Optuna are in the schema {found.place}, to which the search path of {found.role} does not "
            f"lead: {remedy}",
            state="hides tables",
        )


def check_writable(connection: sa.Connection) -> None:
    """Raises DatabaseUnreachable while the database takes no writes, or none that may be trusted."""
    found = connection.execute(_READ_ONLY).one()
    if found.is_standby:
        raise DatabaseUnreachable(
            "the database is a standby and takes no writes: name the primary in DATABASE_URL, or wait until it is one",
            state="is read-only",
            passes=True,
        )
    if found.is_read_only:
        raise DatabaseUnreachable(
            "the database is read-only for this user (default_transaction_read_only): wait, or set it to off",
            state="is read-only",
            passes=True,
        )
    if found.isolation != ISOLATION:  # ours was not taken: a pooler has left it out, or DATABASE_URL says another one
        raise DatabaseUnreachable(
            f"the isolation of the sessions must be {ISOLATION!r}, got {found.isolation!r}: leave it out of "
            f"DATABASE_URL, or ALTER ROLE {found.role} SET default_transaction_isolation = '{ISOLATION}'",
            state="has another isolation",
        )


def check_room(connection: sa.Connection) -> None:
    """Raises what the driver raises where the server's disk has no room for 0.8 MB (SQLSTATE 53100).

    Statements that change nothing succeed on a full disk. This one keeps more than its memory holds, so that the server
    writes to the disk of its data, and takes the file away at once: no table grows, and nothing is logged.
    """
    try:
        with connection.begin_nested() if connection.in_transaction() else connection.begin():
            connection.execute(_LITTLE_MEMORY)
            connection.execute(_SPILL)
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != _LIMIT:
            raise


def has_our_runs(connection: sa.Connection) -> bool:
    """Whether the table of runs is there and ours."""
    has: bool = connection.execute(_OUR_RUNS).scalar_one()
    return has


def relations(connection: sa.Connection) -> Sequence[str]:
    """The tables and views in our schema, but for the one of its version."""
    return connection.execute(_RELATIONS).scalars().all()


def _raise_first(lacking: sa.Row[tuple[str, str, str, str]] | None) -> None:
    if lacking is not None:
        raise DatabaseUnreachable(
            f"the user {lacking.role} of the database lacks the right {lacking.needed} on {lacking.place}: "
            f"{lacking.remedy}",
            state="denies a permission",
        )
