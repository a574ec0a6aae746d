"""The weights that runs have kept: a digest for each seed, or the reason why there is none."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.create_table(
        "weights",
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey("fleet.runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("repeat", sa.SmallInteger, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
        sa.CheckConstraint("(digest IS NULL) <> (reason IS NULL)", name="weights_or_reason"),
        schema=SCHEMA,
    )
