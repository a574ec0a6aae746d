"""The service: storage, controller, dashboard, reports, command line, and all of it on one machine."""

from pernodedrop.installation import need

need("service", "service", "optuna", "sqlalchemy", "alembic", "psycopg2")
