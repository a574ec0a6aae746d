"""The limits of a search: once one is reached, no further trial begins, and trials in training run to their end."""

import sqlalchemy as sa

from service.storage.runs.expressions import METRIC, SIGN, SPENT_S
from service.storage.states import STUDY_STOPPED

_BUDGET = "(s.definition->'budget'->>'{}')"

# Leased seconds of the search's runs, including those in training.
_DEVICE_TIME = f"""
    (SELECT sum({SPENT_S}) FROM fleet.runs WHERE study_id = s.id AND stage = 'search')
        >= {_BUDGET.format("device_time")}::float
"""

# The trials that ended after the one with the best value so far, or after the first of several with that value.
_WITHOUT_BETTER = f"""
    (SELECT count(*) FROM fleet.runs WHERE study_id = s.id AND stage = 'search'
        AND state IN ('complete', 'pruned', 'failed') AND (finished_at, id) > coalesce(
            (SELECT (finished_at, id) FROM fleet.runs
                WHERE study_id = s.id AND stage = 'search' AND state = 'complete' AND values IS NOT NULL
                ORDER BY values[1] * {SIGN.format("s.definition")}, finished_at, id LIMIT 1),
            ('-infinity'::timestamptz, 0)))
        >= {_BUDGET.format("patience")}::int
"""

# SQL for the reason why the study `s` may begin no further trial; NULL where it may. CASE stops at the first rule that
# holds, and a rule that the study does not have costs nothing.
REASON = f"""
    CASE
        WHEN s.state = 'stopped' THEN '{STUDY_STOPPED}'
        WHEN s.stage <> 'search' THEN NULL
        WHEN now() >= s.started_at + make_interval(secs => {_BUDGET.format("wall_time")}::float)
            THEN 'wall time used up'
        WHEN {_BUDGET.format("device_time")} IS NOT NULL AND {_DEVICE_TIME}
            THEN format('device_time: %s s used up', trim_scale({_BUDGET.format("device_time")}::numeric))
        WHEN {_BUDGET.format("patience")} IS NOT NULL AND {_WITHOUT_BETTER}
            THEN format('patience: %s trials in a row brought no better %s', {_BUDGET.format("patience")},
                {METRIC.format("s.definition")})
    END
"""


def reached(connection: sa.Connection, study_id: int) -> str | None:
    """Return why the study may begin no further trial, None if it may."""
    statement = sa.text(f"SELECT {REASON} FROM fleet.studies s WHERE s.id = :study")
    reason: str | None = connection.execute(statement, {"study": study_id}).scalar_one()
    return reason
