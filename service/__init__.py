"""The service: storage, controller, dashboard, reports, command line, and a stack of them on one machine."""

from pernodedrop.begin import keep_a_command_apart, require_ours

keep_a_command_apart()
require_ours()

from pernodedrop.door import hold_signals_of

hold_signals_of("service.cli")  # until its door is open

from pernodedrop.installation import need

need("service", "service", "optuna", "sqlalchemy", "alembic", "psycopg2")
