"""Puts failed runs back into their study's queue, with the configurations that they had."""

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.errors import NotRetryable, UnknownStudy, UnknownTrial
from service.storage.optuna import statements
from service.storage.optuna import trials as optuna_trials
from service.storage.records import StudyRecord
from service.storage.runs import legs, limits, supply
from service.storage.states import RunState, Stage
from service.storage.studies import studies
from service.storage.studies.extension import opened_again

REASON = "its run is tried again"

_LOCK = sa.text(
    """
    SELECT id, optuna_study_id, state, stage, finished_at FROM fleet.studies WHERE name = :name FOR UPDATE
    """
)
# A look at a confirmation's figures was made without a run that had failed by then.
_RUNS = sa.text(
    """
    SELECT id, stage, state, trial_number, EXISTS (
        SELECT FROM fleet.looks l WHERE l.study_id = r.study_id AND l.runs > r.ordinal) AS was_looked_past
    FROM fleet.runs r
    WHERE study_id = :study AND (state = 'failed' OR stage = 'search' AND trial_number = ANY (:numbers))
    ORDER BY id FOR UPDATE
    """
)
_WAIT = sa.text(
    """
    UPDATE fleet.runs SET state = 'waiting', attempts = 0, worker_id = NULL, reason = NULL, trial_id = NULL,
        values = NULL, best_epoch = NULL, started_at = NULL, finished_at = NULL, booked = 0
    WHERE id = ANY (:runs)
    """
)
_FORGET_LEGS = sa.text("DELETE FROM fleet.legs WHERE run_id = ANY (:runs)")
_GO_ON = f"UPDATE fleet.studies SET {opened_again('(finished_at IS NOT NULL OR pause_reason IS NOT NULL)')}"
_SEARCH = sa.text(f"{_GO_ON}, stage = 'search', closing = NULL, decision = NULL WHERE id = :study")
_CONFIRM = sa.text(f"{_GO_ON}, decision = NULL WHERE id = :study")


def retry(db: Database, name: str, numbers: Collection[int] | None = None) -> tuple[StudyRecord, int]:
    """Let failed runs wait again, and return the study with the number of these runs.

    They are the trials of these `numbers`, or all that have failed, with the failed runs of the confirmation. A run
    stays the one that it was in the budget, under its number, and is trained with the parameters that it had; one that
    failed before it had any gets them from the sampler. It has all its attempts again. In Optuna it is a new trial,
    which takes the place of the failed one for samplers and pruners.

    A study that has ended runs again, and one that has paused itself goes on; one that somebody has paused stays so.

    Raises:
        UnknownStudy: there is none of this name.
        UnknownTrial: the search has no trial of such a number.
        NotRetryable: the study was stopped, is being confirmed or is at a limit, or nothing of this has failed.
    """
    with db.transaction() as connection:
        study = connection.execute(_LOCK, {"name": name}).one_or_none()
        if study is None:
            raise UnknownStudy(name)
        if study.state == "stopped":
            raise NotRetryable(name, "it was stopped for good: submit it under another name")
        chosen = _chosen(connection, name, study, numbers)
        ids = [run.id for run in chosen]
        for trial_id in statements.trials_begun(connection, study.optuna_study_id, ids):
            optuna_trials.fail(db, trial_id, REASON)
        statements.retire(connection, study.optuna_study_id, ids)
        connection.execute(_WAIT, {"runs": ids})
        connection.execute(_FORGET_LEGS, {"runs": ids})
        searches = any(run.stage == Stage.SEARCH for run in chosen)
        connection.execute(_SEARCH if searches else _CONFIRM, {"study": study.id})
        supply.fill(connection, study.id)
        reached = (limits.reached(connection, study.id) or legs.used_up(connection, study.id)) if searches else None
        if reached is not None:
            raise NotRetryable(name, f"{reached}: submit it under another name with a larger budget")
        ordered.note(connection, name)
    return studies.get(db, name), len(chosen)


def _chosen(
    connection: sa.Connection, name: str, study: sa.Row[Any], numbers: Collection[int] | None
) -> Sequence[sa.Row[Any]]:
    """The runs to be tried again, at least one."""
    found = connection.execute(_RUNS, {"study": study.id, "numbers": list(numbers or ())}).all()
    is_confirmed_now = study.stage == Stage.CONFIRMATION and study.finished_at is None
    if numbers is not None:
        return _named(name, found, numbers, is_confirmed_now=is_confirmed_now)
    search = [run for run in found if run.stage == Stage.SEARCH]
    confirming = [run for run in found if run.stage == Stage.CONFIRMATION]
    chosen = [run for run in confirming if not run.was_looked_past]
    if not is_confirmed_now:
        chosen = search + chosen
    if chosen:
        return chosen
    if search:
        raise NotRetryable(name, _LATER)
    if confirming:
        reason = "its confirmation was judged without the failed runs: confirm it with a larger top or more seeds"
        raise NotRetryable(name, reason)
    raise NotRetryable(name, "none of its runs has failed")


_LATER = "its best configurations are being confirmed: retry its trials when it has finished"


def _named(
    name: str, found: Sequence[sa.Row[Any]], numbers: Collection[int], *, is_confirmed_now: bool
) -> Sequence[sa.Row[Any]]:
    by_number = {run.trial_number: run for run in found if run.stage == Stage.SEARCH}
    for number in numbers:
        if number not in by_number:
            raise UnknownTrial(name, Stage.SEARCH.called(number))
        state = by_number[number].state
        if state != RunState.FAILED:
            raise NotRetryable(name, f"{Stage.SEARCH.called(number)} is {state}, and only failed ones are tried again")
    if is_confirmed_now:
        raise NotRetryable(name, _LATER)
    return [by_number[number] for number in sorted(set(numbers))]
