"""Pauses a study whose first trials fail alike: what they all lack would be lacking in the whole budget.

It happens once in a study's life, in the transaction that ends the third such run. Of several workers whose runs fail
at once each locks the study before its run, as everybody does who needs both.
"""

import sqlalchemy as sa

from service.storage.runs import clock
from service.storage.states import RunState, Stage, storable

ALIKE = 3  # runs that fail alike, one after another, before a study pauses

# What differs between runs that fail for one reason: paths, addresses of processes and objects, numbers.
_VARYING = r"(/[^\s,:;)]*|\S+:\d+|[\w.+-]*\d[\w.+-]*)+"

_LOCK = sa.text("SELECT 1 FROM fleet.studies WHERE id = :study AND NOT has_paused FOR NO KEY UPDATE")
_OF_STAGE = "FROM fleet.runs WHERE study_id = :study AND stage = :stage AND state = "


def alike(reason: str) -> str:
    """SQL for what reasons of failures have in common that are alike; `reason` is an expression."""
    return f"regexp_replace({reason}, '{_VARYING}', '0', 'g')"


# A pruned trial has trained, as a complete one has, and a paused one.
_FAIL_ALIKE = sa.text(
    f"""
    SELECT count(*) = {ALIKE} AND count(DISTINCT {alike("reason")}) = 1
        AND NOT EXISTS (SELECT {_OF_STAGE} 'complete') AND NOT EXISTS (SELECT {_OF_STAGE} 'pruned')
        AND NOT EXISTS (SELECT {_OF_STAGE} 'paused')
    FROM (
        SELECT coalesce(reason, 'no reason was recorded') AS reason {_OF_STAGE} 'failed'
        ORDER BY finished_at DESC, id DESC LIMIT {ALIKE}) last
    """
)
_PAUSE = sa.text(
    f"""
    UPDATE fleet.studies SET state = 'paused', paused_at = {clock.NOW.format("studies")}, pause_reason = :reason,
        has_paused = true
    WHERE id = :study AND state = 'running' AND finished_at IS NULL AND NOT has_paused
        AND (closing IS NULL OR stage <> 'search')
        AND (to_come > 0 OR EXISTS (SELECT FROM fleet.runs WHERE study_id = studies.id AND state = 'waiting'))
    """
)


def may_pause(connection: sa.Connection, study_id: int, state: RunState) -> bool:
    """Whether the study may pause because a run of it ends so; if it may, its row is locked from now on.

    Call it before the run is locked: whoever deletes a study locks the study first.
    """
    return state is RunState.FAILED and connection.execute(_LOCK, {"study": study_id}).one_or_none() is not None


def pause_if_alike(connection: sa.Connection, study_id: int, stage: Stage, reason: str | None) -> None:
    """Pause the study, which `may_pause`, if the last runs of the stage failed alike, none has come further, and others
    wait; `reason` is that of the run that has just failed."""
    of_stage = {"study": study_id, "stage": stage}
    if connection.execute(_FAIL_ALIKE, of_stage).scalar_one():
        what = "trials" if stage is Stage.SEARCH else "runs of the confirmation"
        said = f"{ALIKE} {what} in a row failed alike, and none is complete: {storable(reason or 'no reason')}"
        connection.execute(_PAUSE, {"study": study_id, "reason": said})
