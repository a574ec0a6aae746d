"""Keys with names and roles, who ordered what, and links that read one study."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def _instant(name: str, *, now: bool = False) -> "sa.Column[datetime]":
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not now, server_default=default)


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("former_hash", sa.LargeBinary, unique=True),
        _instant("former_until"),
        sa.Column("task_modules", ARRAY(sa.Text)),
        sa.Column("created_by", sa.Text, nullable=False),
        _instant("created_at", now=True),
        _instant("rotated_at"),
        _instant("ends_at"),
        _instant("revoked_at"),
        schema=SCHEMA,
    )
    op.create_table(
        "deeds",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        _instant("at", now=True),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("deed", sa.Text, nullable=False),
        sa.Column("study", sa.Text),
        sa.Column("detail", sa.Text, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("deeds_study", "deeds", ["study", "id"], schema=SCHEMA)
    op.create_table(
        "shares",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("study_id", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.studies.id", ondelete="CASCADE"), nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("created_by", sa.Text, nullable=False),
        _instant("created_at", now=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        _instant("revoked_at"),
        schema=SCHEMA,
    )
    op.create_index("shares_study", "shares", ["study_id", "id"], schema=SCHEMA)
