"""The tables of who may call, beside those of `tables`, in the same schema."""

import sqlalchemy as sa

from service.storage.database.tables import metadata, studies

_Instant = sa.DateTime(timezone=True)

# Who may call the servers. A key is random, so only its SHA-256 is kept. Revoked ones keep their names.
access_keys = sa.Table(
    "access_keys",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),  # read, submit, admin
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("former_hash", sa.LargeBinary, unique=True),  # of the key before the last rotation
    sa.Column("former_until", _Instant),  # it opens until then
    sa.Column("task_modules", sa.ARRAY(sa.Text)),  # that its own tasks may be in; NULL: whatever the servers allow
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("rotated_at", _Instant),
    sa.Column("ends_at", _Instant),
    sa.Column("revoked_at", _Instant),
)

# Who ordered what, in the order in which it was done. A study is named, so that its row may be gone.
deeds = sa.Table(
    "deeds",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("caller", sa.Text, nullable=False),
    sa.Column("deed", sa.Text, nullable=False),  # such as "pause"
    sa.Column("study", sa.Text),  # its name
    sa.Column("detail", sa.Text, nullable=False),  # in ASCII, bounded by service.storage.access.deeds
    sa.Index("deeds_study", "study", "id"),
)

# Links that show one study without a key, until they end.
shares = sa.Table(
    "shares",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("study_id", sa.BigInteger, sa.ForeignKey(studies.c.id, ondelete="CASCADE"), nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("created_at", _Instant, nullable=False, server_default=sa.func.now()),
    sa.Column("ends_at", _Instant, nullable=False),
    sa.Column("revoked_at", _Instant),
    sa.Index("shares_study", "study_id", "id"),
)
