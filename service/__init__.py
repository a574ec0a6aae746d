"""The service: storage, controller, dashboard, reports, command line, and a stack of them on one machine."""

from pernodedrop.installation import need

need("service", "service", "optuna", "sqlalchemy", "alembic", "psycopg2")
