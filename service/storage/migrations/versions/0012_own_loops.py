"""Own loops: studies whose runs the fleet does not take, and the askers that each of them has."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.add_column("studies", sa.Column("external", sa.Boolean, nullable=False, server_default="false"), schema=SCHEMA)
    op.add_column("workers", sa.Column("study_id", sa.BigInteger), schema=SCHEMA)
