"""What a confirmation's models say of sets of inputs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.create_table(
        "examinations",
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey("fleet.runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("repeat", sa.SmallInteger, primary_key=True),
        sa.Column("inputs", sa.Text, primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
        sa.Column("passes", sa.Integer, nullable=False),
        sa.Column("outputs", sa.Text, nullable=False),
        sa.Column("figures", JSONB, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        schema=SCHEMA,
    )
