"""Searches that are claimed leg by leg: trials that pause at a rung, and the epochs in a study's books."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SCHEMA = "fleet"
STATES = ("waiting", "running", "paused", "complete", "pruned", "failed", "cancelled")

_COUNTING = f"""
    CREATE OR REPLACE FUNCTION fleet.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    BEGIN
        INSERT INTO fleet.run_counts (study_id, stage, {", ".join(STATES)}, spent_s, booked)
        SELECT study_id, stage,
            {", ".join(f"sign * count(*) FILTER (WHERE state = '{state}')" for state in STATES)}, sign * sum(spent_s),
            sign * sum(booked)
        FROM changed GROUP BY study_id, stage;
        RETURN NULL;
    END $$;
    CREATE OR REPLACE FUNCTION fleet.count_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fleet.run_counts (study_id, stage, {", ".join(STATES)}, spent_s, booked)
        VALUES (NEW.study_id, NEW.stage,
            {", ".join(f"(NEW.state = '{state}')::int - (OLD.state = '{state}')::int" for state in STATES)},
            NEW.spent_s - OLD.spent_s, NEW.booked - OLD.booked);
        RETURN NULL;
    END $$;
    DROP TRIGGER count_changed ON fleet.runs;
    CREATE TRIGGER count_changed AFTER UPDATE OF state, spent_s, booked ON fleet.runs FOR EACH ROW
        WHEN (OLD.state <> NEW.state OR OLD.spent_s <> NEW.spent_s OR OLD.booked <> NEW.booked)
        EXECUTE FUNCTION fleet.count_change()
"""


def upgrade() -> None:
    is_by_legs = sa.Column("by_legs", sa.Boolean, nullable=False, server_default="false")
    op.add_column("studies", is_by_legs, schema=SCHEMA)
    op.add_column("runs", sa.Column("booked", sa.Integer, nullable=False, server_default="0"), schema=SCHEMA)
    op.create_index(
        "runs_paused", "runs", ["study_id", "id"], schema=SCHEMA, postgresql_where=sa.text("state = 'paused'")
    )
    for name, kind in (("paused", sa.Integer), ("booked", sa.BigInteger)):
        op.add_column("run_counts", sa.Column(name, kind, nullable=False, server_default="0"), schema=SCHEMA)
        op.alter_column("run_counts", name, server_default=None, schema=SCHEMA)  # of the rows that were there
    run = sa.ForeignKey(f"{SCHEMA}.runs.id", ondelete="CASCADE")
    op.create_table(
        "legs",
        sa.Column("run_id", sa.BigInteger, run, primary_key=True),
        sa.Column("epochs", sa.Integer, primary_key=True),
        sa.Column("study_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("bracket", sa.Integer, nullable=False),
        sa.Column("cost", sa.Double),
        schema=SCHEMA,
    )
    op.create_index("legs_number", "legs", ["study_id", "number"], schema=SCHEMA, unique=True)
    op.create_index("legs_rung", "legs", ["study_id", "bracket", "epochs", "cost", "place"], schema=SCHEMA)
    op.execute(_COUNTING)
