"""The workers: they lease runs from the database, train them and record the results."""

from pernodedrop.begin import keep_a_command_apart, require_ours

keep_a_command_apart()
require_ours()

from pernodedrop.door import hold_signals_of

hold_signals_of("workers", "workers.reproduction")  # until they heed them

from pernodedrop.installation import need

need("workers", "worker", "optuna", "sqlalchemy", "alembic", "psycopg2", "pydantic", "fsspec", "httpx", "rich")
need("workers", "worker", "safetensors")
