"""Configurations that somebody chose for runs, and the trials of earlier studies that samplers know."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.add_column("runs", sa.Column("given", JSONB), schema=SCHEMA)
    where = sa.text("given IS NOT NULL")
    op.create_index("runs_given", "runs", ["study_id", "ordinal"], schema=SCHEMA, postgresql_where=where)
    op.create_table(
        "histories",
        sa.Column("study_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("trials", JSONB, nullable=False),
        schema=SCHEMA,
    )
