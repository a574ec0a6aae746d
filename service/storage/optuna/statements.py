"""Statements on Optuna's tables, whole and in parts, and the keys of the attributes that both sides read."""

import json
from collections.abc import Collection

import sqlalchemy as sa

RUN = "run"  # the user attribute of a trial that names its run
RETRIED = "retried_run"  # the attribute in its place, once the run waits again without the trial
FAIL_REASON = "fail_reason"  # the system attribute that says why a trial failed; Optuna writes it too

# SQL for what Optuna was told of the named row of fleet.runs: the trial's state, NULL without a trial, ...
TOLD = "(SELECT state FROM trials WHERE trial_id = {}.trial_id)"
# ... and its values by objective; a pruned trial has its last report.
VALUES = """(SELECT array_agg(value ORDER BY objective)
    FROM trial_values WHERE trial_id = {}.trial_id AND value_type = 'FINITE')"""

# ... and its last report; NULL without one.
LAST_REPORT = """(SELECT intermediate_value FROM trial_intermediate_values
    WHERE trial_id = {}.trial_id ORDER BY step DESC LIMIT 1)"""

# Ends the running trials in the named table as pruned, at :now, as `Study.tell` does: the last report is the value.
PRUNE = f"""
    ending AS (
        UPDATE trials t SET state = 'PRUNED', datetime_complete = :now FROM {{0}}
        WHERE t.trial_id = {{0}}.trial_id AND t.state = 'RUNNING' RETURNING t.trial_id),
    valued AS (
        INSERT INTO trial_values (trial_id, objective, value, value_type)
        SELECT trial_id, 0, value, 'FINITE'
        FROM (SELECT trial_id, {LAST_REPORT.format("ending")} AS value FROM ending) v WHERE value IS NOT NULL)
"""

# Reports :reported at :step of the trials in `held`; a step that was reported before keeps its value.
REPORT = """
    INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT held.trial_id, :step, :reported, 'FINITE' FROM held
    WHERE cast(:step AS int) IS NOT NULL AND held.trial_id IS NOT NULL
    ON CONFLICT (trial_id, step) DO NOTHING
"""

_OF_RUN = sa.text(
    """
    SELECT t.trial_id FROM trials t JOIN trial_user_attributes a USING (trial_id)
    WHERE t.study_id = :study AND a.key = :key AND a.value_json = :run ORDER BY t.trial_id LIMIT 1
    """
)
_BEFORE = sa.text(
    """
    SELECT t.trial_id FROM trials t JOIN trial_user_attributes a USING (trial_id)
    WHERE t.study_id = :study AND a.key = :key AND a.value_json = :run ORDER BY t.trial_id
    """
)
_BEGUN = sa.text(
    """
    SELECT t.trial_id FROM trials t JOIN trial_user_attributes a USING (trial_id)
    WHERE t.study_id = :study AND t.state = 'RUNNING' AND a.key = :key AND a.value_json = ANY (:runs)
    """
)
_RETIRE = sa.text(
    """
    UPDATE trial_user_attributes a SET key = :retried FROM trials t
    WHERE t.trial_id = a.trial_id AND t.study_id = :study AND a.key = :key AND a.value_json = ANY (:runs)
    """
)
_LEFT_BEHIND = sa.text(
    """
    SELECT t.trial_id, coalesce(r.reason, 'its run went on as another trial') FROM trials t
    JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = :key
    JOIN fleet.runs r ON r.id = a.value_json::bigint
    WHERE t.state = 'RUNNING' AND t.study_id = coalesce(:study, t.study_id)
        AND (r.state NOT IN ('waiting', 'running', 'paused') OR r.trial_id <> t.trial_id)
    """
)
_PARTS = ("values", "params", "user_attributes", "system_attributes", "intermediate_values", "heartbeats")


def trial_of_run(connection: sa.Connection, optuna_study_id: int, run_id: int) -> int | None:
    """Return the id of the first trial that is marked with the run, None if there is none."""
    marked = {"study": optuna_study_id, "key": RUN, "run": json.dumps(run_id)}
    return connection.execute(_OF_RUN, marked).scalar_one_or_none()


def trials_before(connection: sa.Connection, optuna_study_id: int, run_id: int) -> list[int]:
    """Return the ids of the trials that the run had before it was tried again, the first one first."""
    marked = {"study": optuna_study_id, "key": RETRIED, "run": json.dumps(run_id)}
    return list(connection.execute(_BEFORE, marked).scalars())


def trials_begun(connection: sa.Connection, optuna_study_id: int, runs: Collection[int]) -> list[int]:
    """Return the ids of the trials of these runs that have not ended."""
    marked = {"study": optuna_study_id, "key": RUN, "runs": [json.dumps(run) for run in runs]}
    return list(connection.execute(_BEGUN, marked).scalars())


def retire(connection: sa.Connection, optuna_study_id: int, runs: Collection[int]) -> None:
    """Let the trials of these runs be of the past: their runs wait for others."""
    marked = {"study": optuna_study_id, "key": RUN, "retried": RETRIED, "runs": [json.dumps(run) for run in runs]}
    connection.execute(_RETIRE, marked)


def left_behind(connection: sa.Connection, optuna_study_id: int | None = None) -> list[tuple[int, str]]:
    """Return the ids of running trials that no run needs, of one study or of all, each with the reason: the run was
    cancelled while it waited, or its holder died before it noted the trial."""
    found = connection.execute(_LEFT_BEHIND, {"key": RUN, "study": optuna_study_id})
    return [(row[0], row[1]) for row in found]


def rename_study(connection: sa.Connection, optuna_study_id: int, name: str) -> None:
    """Give an Optuna study another name, if it is still there."""
    renamed = sa.text("UPDATE studies SET study_name = :name WHERE study_id = :study")
    connection.execute(renamed, {"name": name, "study": optuna_study_id})


def delete_trials(connection: sa.Connection, optuna_study_id: int, most: int) -> int:
    """Delete at most so many of an Optuna study's trials, and return their number.

    Optuna's own deletion loads every object, which takes most of a minute for 10,000 trials, and fails silently when
    a worker adds a parameter meanwhile. This first locks out workers that are adding to these trials.
    """
    chosen = "SELECT trial_id FROM trials WHERE study_id = :study ORDER BY trial_id LIMIT :most FOR UPDATE"
    trials = connection.execute(sa.text(chosen), {"study": optuna_study_id, "most": most}).scalars().all()
    for part in _PARTS:
        connection.execute(sa.text(f"DELETE FROM trial_{part} WHERE trial_id = ANY (:trials)"), {"trials": trials})
    connection.execute(sa.text("DELETE FROM trials WHERE trial_id = ANY (:trials)"), {"trials": trials})
    return len(trials)
