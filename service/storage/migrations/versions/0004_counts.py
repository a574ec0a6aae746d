"""Counts beside the runs, runs without rows, the end of a search noted at once, and deleted studies in batches."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "fleet"
STATES = ("waiting", "running", "complete", "pruned", "failed", "cancelled")

# Every change appends a row, so that no two writers wait for each other; `counting.fold` adds rows up.
_TRIGGERS = f"""
    CREATE FUNCTION fleet.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    BEGIN
        INSERT INTO fleet.run_counts (study_id, stage, {", ".join(STATES)}, spent_s)
        SELECT study_id, stage,
            {", ".join(f"sign * count(*) FILTER (WHERE state = '{state}')" for state in STATES)}, sign * sum(spent_s)
        FROM changed GROUP BY study_id, stage;
        RETURN NULL;
    END $$;
    CREATE TRIGGER count_inserted AFTER INSERT ON fleet.runs REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION fleet.count_statement();
    CREATE TRIGGER count_deleted AFTER DELETE ON fleet.runs REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION fleet.count_statement();
    CREATE FUNCTION fleet.count_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fleet.run_counts (study_id, stage, {", ".join(STATES)}, spent_s) VALUES (NEW.study_id, NEW.stage,
            {", ".join(f"(NEW.state = '{state}')::int - (OLD.state = '{state}')::int" for state in STATES)},
            NEW.spent_s - OLD.spent_s);
        RETURN NULL;
    END $$;
    CREATE TRIGGER count_changed AFTER UPDATE OF state, spent_s ON fleet.runs FOR EACH ROW
        WHEN (OLD.state <> NEW.state OR OLD.spent_s <> NEW.spent_s) EXECUTE FUNCTION fleet.count_change()
"""
_FILL = f"""
    INSERT INTO fleet.run_counts (study_id, stage, {", ".join(STATES)}, spent_s)
    SELECT study_id, stage, {", ".join(f"count(*) FILTER (WHERE state = '{state}')" for state in STATES)}, sum(spent_s)
    FROM fleet.runs GROUP BY study_id, stage
"""
_INDEXES = """
    CREATE INDEX runs_best ON fleet.runs (study_id, stage, (values[1]), trial_number, ordinal)
        WHERE state = 'complete';
    CREATE INDEX runs_ended ON fleet.runs (study_id, finished_at, id)
        WHERE stage = 'search' AND state IN ('complete', 'pruned', 'failed');
    CREATE INDEX runs_confirming ON fleet.runs (study_id, ordinal) WHERE stage = 'confirmation';
    CREATE INDEX runs_numbered ON fleet.runs (study_id, trial_number) WHERE trial_number IS NOT NULL
"""


def upgrade() -> None:
    for column in (
        sa.Column("to_come", sa.Integer, nullable=False, server_default="0"),
        sa.Column("dropped", sa.Integer, nullable=False, server_default="0"),
        sa.Column("closing", sa.Text),
    ):
        op.add_column("studies", column, schema=SCHEMA)
    where = sa.text("to_come > 0")
    op.create_index("studies_to_come", "studies", ["id"], schema=SCHEMA, postgresql_where=where)
    op.drop_constraint("runs_study_id_fkey", "runs", schema=SCHEMA, type_="foreignkey")
    op.create_table(
        "deleted_studies",
        sa.Column("study_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("optuna_study_id", sa.Integer, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "run_counts",
        sa.Column("study_id", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        *(sa.Column(state, sa.Integer, nullable=False) for state in STATES),
        sa.Column("spent_s", sa.Double, nullable=False),
        schema=SCHEMA,
    )
    op.create_index("run_counts_study", "run_counts", ["study_id"], schema=SCHEMA)
    op.execute(_FILL)
    op.execute(_INDEXES)
    op.execute(_TRIGGERS)
