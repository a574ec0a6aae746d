"""Where a run came from: stored once for all runs that share it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.create_table(
        "provenances",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("content", JSONB, nullable=False),
        schema=SCHEMA,
    )
    op.add_column("runs", sa.Column("provenance", sa.Text, sa.ForeignKey("fleet.provenances.hash")), schema=SCHEMA)
