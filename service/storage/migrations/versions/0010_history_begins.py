"""What runs had come to before their history and parameters were kept, so that they go on from there."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# Rows with a negative id stand for all that came before. A run that had been leased and has not changed since stands
# where it stands; one that has changed stood where its first change could come from.
_UNCHANGED = """
    INSERT INTO fleet.run_history (id, run_id, at, state, token, attempts, worker_id)
    SELECT -r.id, r.id, coalesce(r.started_at, now()), r.state, r.token, r.attempts, r.worker_id FROM fleet.runs r
    WHERE r.state IN ('waiting', 'running') AND r.token > 0
        AND NOT EXISTS (SELECT FROM fleet.run_history h WHERE h.run_id = r.id)
"""
_CHANGED = """
    INSERT INTO fleet.run_history (id, run_id, at, state, token, attempts)
    SELECT -r.id, r.id, coalesce(least(r.started_at, h.at), h.at), 'running',
        h.token - (h.state = 'running')::int, h.attempts - (h.state = 'running')::int
    FROM fleet.runs r JOIN (
        SELECT DISTINCT ON (run_id) * FROM fleet.run_history ORDER BY run_id, id) h ON h.run_id = r.id
    WHERE h.token > (h.state = 'running')::int
"""
# A trial without a dimension has no parameters in Optuna's tables, from which 0002 took them.
_PARAMS = """
    UPDATE fleet.runs SET params = '{}'
    WHERE params IS NULL AND stage = 'search' AND state IN ('complete', 'pruned') AND trial_id IS NOT NULL
"""


def upgrade() -> None:
    op.execute(_CHANGED)
    op.execute(_UNCHANGED)
    op.execute(_PARAMS)
