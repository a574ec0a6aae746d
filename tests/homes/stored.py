"""The stored databases: one of each earlier schema, made by the last release that had it.

Each is what `pg_dump --inserts` says of a home whose programs were all killed while they trained. Its studies are named
after what had become of them: complete (pruned runs too, and a confirmation where that release had it), failed, pareto,
stopped, paused, waiting, handed-back (paused, its runs back in the queue), killed (handed back, taken again, and in
training), killed-anew (in its first attempt) and confirming (in its confirmation); some have decided, examined and
after (started from complete).
Those of schema 0012 and later have own loops: own-complete, own-failed, own-killed, own-alike (which has paused itself,
from 0014 on) and own-retried; waiting has tags and a note there. Schemas 0007 and 0013 were never a release's newest
ones, and nothing is stored of 0009 to 0011. `store` makes such a file.
"""

import lzma
from pathlib import Path

import psycopg2
import sqlalchemy as sa

FOLDER = Path(__file__).with_name("dumps")
SCHEMAS = tuple(file.name.split(".")[0] for file in sorted(FOLDER.glob("*.sql.xz")))


def restore(schema: str, url: str) -> None:
    """Fill an empty database with the stored one of that schema."""
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(plain)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(lzma.decompress((FOLDER / f"{schema}.sql.xz").read_bytes()).decode())
    finally:
        connection.close()
