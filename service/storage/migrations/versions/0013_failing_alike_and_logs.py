"""Why a study has paused itself, and what the attempts of runs have written."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.add_column("studies", sa.Column("pause_reason", sa.Text), schema=SCHEMA)
    has_paused = sa.Column("has_paused", sa.Boolean, nullable=False, server_default="false")
    op.add_column("studies", has_paused, schema=SCHEMA)
    op.create_table(
        "logs",
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("token", sa.BigInteger, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stdout", sa.LargeBinary, nullable=False),
        sa.Column("stderr", sa.LargeBinary, nullable=False),
        sa.Column("written", sa.ARRAY(sa.BigInteger), nullable=False),
        sa.Column("traceback", sa.LargeBinary),
        schema=SCHEMA,
    )
