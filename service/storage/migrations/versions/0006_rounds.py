"""The seeds of every run of a confirmation, the looks at it, and its decision."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SCHEMA = "fleet"

# Every run of a confirmation had all its seeds, the study's first ones that the search had not used.
_SEEDS = """
    UPDATE fleet.runs r SET first_seed = coalesce((s.definition->>'repeats')::int, 1),
        seeds = coalesce((s.definition->'confirmation'->>'repeats')::int, 5)
    FROM fleet.studies s WHERE s.id = r.study_id AND r.stage = 'confirmation'
"""


def upgrade() -> None:
    op.add_column("runs", sa.Column("first_seed", sa.Integer), schema=SCHEMA)
    op.add_column("runs", sa.Column("seeds", sa.Integer), schema=SCHEMA)
    op.execute(_SEEDS)
    op.add_column("studies", sa.Column("decision", JSONB), schema=SCHEMA)
    op.create_table(
        "looks",
        sa.Column("study_id", sa.BigInteger, sa.ForeignKey("fleet.studies.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seeds", sa.Integer, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("kept", sa.ARRAY(sa.BigInteger), nullable=False),
        schema=SCHEMA,
    )
