"""What happened to every run, stages of a study, priorities, what a run was trained with and came to, GPU slots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMA = "fleet"

# A trigger, so that no way of changing a run can forget its history.
_HISTORY = """
    CREATE FUNCTION fleet.note_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO fleet.run_history (run_id, state, token, attempts, worker_id, reason) VALUES (
            NEW.id, NEW.state, NEW.token, NEW.attempts, coalesce(NEW.worker_id, OLD.worker_id), NEW.reason);
        RETURN NULL;
    END $$;
    CREATE TRIGGER run_history AFTER UPDATE OF state, token ON fleet.runs FOR EACH ROW
        WHEN (OLD.state <> NEW.state OR OLD.token <> NEW.token) EXECUTE FUNCTION fleet.note_history()
"""

# Until now a trial's parameters and values stood in Optuna's tables alone, floats and indexes of choices. A float
# without a fraction keeps its point: 1.0 is not 1.
_PARAMS = """
    UPDATE fleet.runs r SET params = p.params FROM (
        SELECT trial_id, jsonb_object_agg(param_name, CASE distribution_json::jsonb->>'name'
            WHEN 'CategoricalDistribution' THEN distribution_json::jsonb->'attributes'->'choices'->param_value::int
            WHEN 'IntDistribution' THEN to_jsonb(param_value::bigint)
            ELSE CASE WHEN param_value = trunc(param_value) THEN to_jsonb(param_value::bigint::numeric(20, 1))
                ELSE to_jsonb(param_value) END END) AS params
        FROM trial_params GROUP BY trial_id) p
    WHERE p.trial_id = r.trial_id
"""
_VALUES = """
    UPDATE fleet.runs r SET values = v.values FROM (
        SELECT trial_id, array_agg(value ORDER BY objective) AS values FROM trial_values
        WHERE value_type = 'FINITE' GROUP BY trial_id) v
    WHERE v.trial_id = r.trial_id
"""


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    for table, column in (
        ("studies", sa.Column("priority", sa.Integer, nullable=False, server_default="0")),
        ("studies", sa.Column("stage", sa.Text, nullable=False, server_default="search")),
        ("workers", sa.Column("drain", sa.Boolean, nullable=False, server_default="false")),
        ("runs", sa.Column("stage", sa.Text, nullable=False, server_default="search")),
        ("runs", sa.Column("params", JSONB)),
        ("runs", sa.Column("values", sa.ARRAY(sa.Double))),
        ("runs", sa.Column("leased_at", instant)),
        ("runs", sa.Column("spent_s", sa.Double, nullable=False, server_default="0")),
    ):
        op.add_column(table, column, schema=SCHEMA)
    op.create_table(
        "run_history",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("run_id", sa.BigInteger, sa.ForeignKey(f"{SCHEMA}.runs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", instant, nullable=False, server_default=sa.text("clock_timestamp()")),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("worker_id", UUID(as_uuid=False)),
        sa.Column("reason", sa.Text),
        schema=SCHEMA,
    )
    op.create_index("runs_worker", "runs", ["worker_id"], schema=SCHEMA)
    op.create_index("run_history_run", "run_history", ["run_id", "id"], schema=SCHEMA)
    op.create_table(
        "device_slots",
        sa.Column("device", sa.Text, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True),
        sa.Column("holder", UUID(as_uuid=False), nullable=False, unique=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("lease_until", instant, nullable=False),
        schema=SCHEMA,
    )
    op.execute(_HISTORY)
    if op.get_bind().execute(sa.text("SELECT to_regclass('trial_params')")).scalar() is not None:
        op.execute(_PARAMS)
        op.execute(_VALUES)
