"""What people note of a study: tags to find it by, and a text."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    tags: sa.Column[list[str]] = sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default="{}")
    op.add_column("studies", tags, schema=SCHEMA)
    op.add_column("studies", sa.Column("note", sa.Text, nullable=False, server_default=""), schema=SCHEMA)
