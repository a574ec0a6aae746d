"""Studies, their queue of runs, curves and workers."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "studies",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("optuna_study_id", sa.Integer, nullable=False, unique=True),
        sa.Column("definition", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="running"),
        sa.Column("created_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("started_at", instant),
        sa.Column("finished_at", instant),
        schema=SCHEMA,
    )
    op.create_table(
        "workers",
        sa.Column("id", UUID(as_uuid=False), primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("started_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("seen_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("stopped_at", instant),
        schema=SCHEMA,
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("study_id", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.studies.id", ondelete="CASCADE"), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
        sa.Column("token", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("worker_id", UUID(as_uuid=False), sa.ForeignKey(f"{SCHEMA}.workers.id", ondelete="SET NULL")),
        sa.Column("lease_until", instant),
        sa.Column("trial_id", sa.Integer, unique=True),
        sa.Column("trial_number", sa.Integer),
        sa.Column("epoch", sa.Integer, nullable=False, server_default="0"),
        sa.Column("best_epoch", sa.Integer),
        sa.Column("facts", JSONB, nullable=False, server_default="{}"),
        sa.Column("reason", sa.Text),
        sa.Column("started_at", instant),
        sa.Column("finished_at", instant),
        sa.UniqueConstraint("study_id", "ordinal"),
        schema=SCHEMA,
    )
    for name, columns, state in (
        ("runs_waiting", ["study_id", "id"], "waiting"),
        ("runs_leased", ["study_id", "lease_until"], "running"),
    ):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "runs", columns, schema=SCHEMA, postgresql_where=where)
    op.create_table(
        "curves",
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("repeat", sa.SmallInteger, primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("split", sa.Text, primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("value", sa.Double, nullable=False),
        schema=SCHEMA,
    )
