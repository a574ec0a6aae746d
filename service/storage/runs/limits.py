"""The limits of a search: once one is reached, no further trial begins, and trials in training run to their end."""

import sqlalchemy as sa

from service.storage.runs import clock
from service.storage.runs.expressions import HELD_IN_SEARCH_S, METRIC, SIGN
from service.storage.states import STUDY_STOPPED

_BUDGET = "(s.definition->'budget'->>'{}')"

# Leased seconds of the search's runs, including those in training.
_DEVICE_TIME = f"""
    (SELECT sum(spent_s) FROM fleet.run_counts WHERE study_id = s.id AND stage = 'search')
        + {HELD_IN_SEARCH_S.format("s.id")} >= {_BUDGET.format("device_time")}::float
"""

_COMPLETE = "FROM fleet.runs WHERE study_id = s.id AND stage = 'search' AND state = 'complete'"
_BEST = f"""(CASE {SIGN.format("s.definition")} WHEN 1 THEN (SELECT min(values[1]) {_COMPLETE})
    ELSE (SELECT max(values[1]) {_COMPLETE}) END)"""

# So many trials have ended that the first one with the best value is not among the last `patience` of them. This reads
# those alone, however long the search.
_WITHOUT_BETTER = f"""
    EXISTS (SELECT FROM (
        SELECT finished_at, id FROM fleet.runs
        WHERE study_id = s.id AND stage = 'search' AND state IN ('complete', 'pruned', 'failed')
        ORDER BY finished_at DESC, id DESC OFFSET {_BUDGET.format("patience")}::int - 1 LIMIT 1) first_of_last
        WHERE {_BEST} IS NULL OR EXISTS (SELECT {_COMPLETE} AND values[1] = {_BEST}
            AND (runs.finished_at, runs.id) < (first_of_last.finished_at, first_of_last.id)))
"""

# SQL for the reason why the study `s` may begin no further trial, as its own row says; NULL where it does not.
AT_ONCE = f"""
    CASE
        WHEN s.state = 'stopped' THEN '{STUDY_STOPPED}'
        WHEN s.stage <> 'search' THEN NULL
        WHEN s.closing IS NOT NULL THEN s.closing
        WHEN coalesce(s.paused_at, {clock.NOW.format("s")})
            >= s.started_at + make_interval(secs => {_BUDGET.format("wall_time")}::float) THEN 'wall time used up'
    END
"""
# SQL for whether the study has a limit that `reached` must work out from its runs.
HAS_OTHERS = f"""(s.stage = 'search'
    AND coalesce({_BUDGET.format("device_time")}, {_BUDGET.format("patience")}) IS NOT NULL)"""

# CASE stops at the first rule that holds, and a rule that the study does not have costs nothing.
_REASON = sa.text(
    f"""
    SELECT coalesce({AT_ONCE}, CASE
        WHEN s.stage <> 'search' THEN NULL
        WHEN {_BUDGET.format("device_time")} IS NOT NULL AND {_DEVICE_TIME}
            THEN format('device_time: %s s used up', trim_scale({_BUDGET.format("device_time")}::numeric))
        WHEN {_BUDGET.format("patience")} IS NOT NULL AND {_WITHOUT_BETTER}
            THEN format('patience: %s trials in a row brought no better %s', {_BUDGET.format("patience")},
                {METRIC.format("s.definition")})
    END) FROM fleet.studies s WHERE s.id = :study
    """
)


def reached(connection: sa.Connection, study_id: int) -> str | None:
    """Return why the study may begin no further trial, None if it may."""
    reason: str | None = connection.execute(_REASON, {"study": study_id}).scalar_one_or_none()
    return reason
