"""When a study was paused: the time in a pause does not count."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SCHEMA = "fleet"

# An earlier release did not note it: a pause began after the last time that a worker took, handed back or ended a run.
_PAUSED = """
    UPDATE fleet.studies s SET paused_at = coalesce((
        SELECT max(h.at) FROM fleet.run_history h JOIN fleet.runs r ON r.id = h.run_id WHERE r.study_id = s.id
    ), now()) WHERE state = 'paused'
"""


def upgrade() -> None:
    op.add_column("studies", sa.Column("paused_at", sa.DateTime(timezone=True)), schema=SCHEMA)
    op.execute(_PAUSED)
