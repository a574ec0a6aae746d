"""The fleet: who leases runs from the database, trains them and writes down what happens."""

from pernodedrop.installation import need

need("workers", "worker", "optuna", "sqlalchemy", "alembic", "psycopg2", "pydantic", "fsspec", "httpx", "rich")
