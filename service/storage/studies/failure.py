"""Why a study has no complete trial, once it has ended, or why it has paused itself before."""

from typing import Any

import sqlalchemy as sa

from service.storage.runs.failing import alike
from service.storage.states import RunState

MOST_READ = 1000  # runs, the last to end: enough to say what is common

# SQL for the commonest reason why runs of the study `page` failed, and how often it was; reasons that are alike are
# one. NULL where none failed. The first condition on the state is that of the index of ended runs.
COMMONEST = f"""
    CASE WHEN page.finished_at IS NOT NULL AND page.state <> 'stopped' AND search_complete = 0 AND search_failed > 0
        THEN (SELECT jsonb_build_array((array_agg(reason))[1], count(*)) FROM (
            SELECT coalesce(reason, 'no reason was recorded') AS reason FROM fleet.runs
            WHERE study_id = page.id AND stage = 'search' AND state IN ('complete', 'pruned', 'failed')
                AND state = 'failed'
            ORDER BY finished_at DESC, id DESC LIMIT {MOST_READ}) last
        GROUP BY {alike("reason")} ORDER BY count(*) DESC, min(reason) LIMIT 1) END
"""


def failure(row: sa.Row[Any], counts: dict[str, int]) -> str:
    """The sentence for a study that has ended without a complete trial: its row with `COMMONEST`, and its counts."""
    states = (RunState.FAILED, RunState.PRUNED, RunState.CANCELLED)
    ended = ", ".join(f"{counts[state]} {state}" for state in states if counts[state])
    said = f"no trial is complete ({ended})"
    if row.commonest is not None:
        reason, times = row.commonest
        return f"{said}: {_often(times, min(counts[RunState.FAILED], MOST_READ))}: {reason}"
    return said if row.closing is None else f"{said}: {row.closing}"


def paused(row: sa.Row[Any]) -> str | None:
    """The sentence for a study that has paused itself, with the remedy; None for any other."""
    if row.pause_reason is None or row.state != "paused" or row.finished_at is not None:
        return None
    remedy = f"mend the cause, then `pernodedrop retry {row.name}`; `pernodedrop resume {row.name}` goes on regardless"
    return f"{row.pause_reason} ({remedy})"


def _often(times: int, of: int) -> str:
    if times == of:
        return "it failed" if of == 1 else f"all of {of} failed alike"
    return f"{times} of {of} failed alike"
