"""Each holder's random claim, and how often it has written."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    op.add_column("runs", sa.Column("claim", UUID(as_uuid=False)), schema=SCHEMA)
    op.add_column("runs", sa.Column("writes", sa.Integer, nullable=False, server_default="0"), schema=SCHEMA)
