"""The workers: they lease runs from the database, train them and record the results."""

from pernodedrop.installation import need

need("workers", "worker", "optuna", "sqlalchemy", "alembic", "psycopg2", "pydantic", "fsspec", "httpx", "rich")
need("workers", "worker", "safetensors")
