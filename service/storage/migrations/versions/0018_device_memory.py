"""What memory workers and their devices use, as each worker said with its last sign of life."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

SCHEMA = "fleet"


def upgrade() -> None:
    for name in ("memory_held", "memory_used", "memory_total"):
        op.add_column("workers", sa.Column(name, sa.BigInteger), schema=SCHEMA)
