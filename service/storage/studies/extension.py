"""Adds work to a running or finished study: further trials, or a confirmation."""

from typing import Any

import sqlalchemy as sa

from search_spaces import Confirmation, StudyShape
from search_spaces.budget import MOST_TRIALS
from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.errors import NotConfirmable, NotExtendable, UnknownStudy
from service.storage.records import StudyRecord
from service.storage.runs import clock, confirmation, legs, limits, looks, supply
from service.storage.runs.configurations import configurations_of
from service.storage.studies import studies
from service.storage.studies.change import Change

_LOCK = sa.text("SELECT id, state, stage, finished_at, definition FROM fleet.studies WHERE name = :name FOR UPDATE")

_GOES_ON = clock.GOES_ON.format("studies")


def opened_again(goes_on: str) -> str:
    """SQL for the columns of a study that runs again where the condition `goes_on` holds; the time between does not
    count as wall time."""
    return f"""
        finished_at = NULL, started_at = CASE WHEN {goes_on} THEN {_GOES_ON} ELSE started_at END,
        state = CASE WHEN {goes_on} THEN 'running' ELSE state END,
        paused_at = CASE WHEN NOT {goes_on} THEN paused_at END,
        pause_reason = CASE WHEN NOT {goes_on} THEN pause_reason END
    """


_OPEN_AGAIN = opened_again("(finished_at IS NOT NULL)")  # also if it was paused before its last run ended
_EXTEND = sa.text(
    f"""
    UPDATE fleet.studies SET {_OPEN_AGAIN}, stage = 'search', closing = NULL, decision = NULL,
        to_come = to_come + :more,
        definition = jsonb_set(definition, '{{budget,trials}}', to_jsonb(cast(:trials AS int)))
    WHERE id = :study
    """
)
_CONFIRM = sa.text(
    """
    UPDATE fleet.studies SET definition = jsonb_set(definition, '{confirmation}', cast(:confirmation AS jsonb))
    WHERE id = :study
    """
)
_REOPEN = sa.text(f"UPDATE fleet.studies SET {_OPEN_AGAIN} WHERE id = :study")
_DECISION = sa.text("SELECT decision FROM fleet.studies WHERE id = :study")
_IS_FOUND = sa.text(
    "SELECT EXISTS (SELECT FROM fleet.runs WHERE study_id = :study AND stage = 'search' AND state = 'complete')"
)


def extend(db: Database, name: str, trials: int, *, seen: int | None = None) -> StudyRecord:
    """Add `trials` runs (at least 1) to the study's budget; one that has finished is searched again.

    `seen` is the budget that the caller knows: with another one by now, which a repeated call finds, nothing is added.

    Its row is locked meanwhile. If the end of its last run is noted before, the study is opened again; if after, it
    stays open. A stop that comes before refuses this; one that comes after cancels the new runs.

    Raises:
        UnknownStudy: there is none of this name.
        NotExtendable: the study is a grid, was stopped, is being confirmed, reached a limit, would be too large, or has
            another budget than `seen`.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        if row.state == "stopped":
            raise NotExtendable(name, "it was stopped for good: submit it under another name")
        if row.definition["sampler"]["name"] == "grid":
            raise NotExtendable(name, "its grid holds every configuration once: submit a grid with more values")
        if row.stage != "search" and row.finished_at is None:
            raise NotExtendable(name, "its best configurations are being confirmed: extend it when it has finished")
        present = row.definition["budget"]["trials"]
        if seen not in (None, present):
            raise NotExtendable(name, f"it had {seen} trials when you looked, and has {present} now: look again")
        total = present + trials
        if total > MOST_TRIALS:
            raise NotExtendable(name, f"budget.trials must be at most {MOST_TRIALS}, got {total}")
        connection.execute(_EXTEND, {"study": row.id, "trials": total, "more": trials})
        supply.fill(connection, row.id)
        reason = limits.reached(connection, row.id) or legs.used_up(connection, row.id)
        if reason is not None:
            raise NotExtendable(name, f"{reason}: submit it under another name with a larger budget")
        ordered.note(connection, name)
    return studies.get(db, name)


def confirm(db: Database, name: str, wanted: Confirmation) -> StudyRecord:
    """Confirm the study's best configurations, or add to a confirmation: at once if the study has finished, else when
    its present runs have ended.

    Unset fields of `wanted` are taken from the study's definition, else from the defaults. A later call may ask for a
    larger `top`, for more seeds (`repeats`, `most_repeats`), for a confirmation until it is decided, or for another
    `indifference` or `prefer`. No configuration is trained twice under one seed.

    Raises:
        UnknownStudy: there is none of this name.
        NotConfirmable: the study has several objectives or was stopped, no trial is complete, nothing would be added,
            something would be taken away, or the settings break a rule together.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        if row.state == "stopped":
            raise NotConfirmable(name, "it was stopped for good: submit it under another name")
        if len(row.definition["objectives"]) > 1:
            raise NotConfirmable(name, "it has several objectives: which configuration is best is yours to say")
        definition = StudyShape.model_validate(row.definition)
        change = Change.of(definition, wanted, configurations_of(connection, row.id, definition))
        refusal = change.refusal or (None if row.finished_at is not None else change.idle)
        if refusal is not None:
            raise NotConfirmable(name, refusal)
        if change.looked is not None:
            whole = [one for one in change.begun if one.is_whole]
            rule = looks.SEQUENTIAL if looks.looks_at(connection, row.id) else looks.FIXED
            looks.note(connection, row.id, change.looked, rule, whole)
        connection.execute(_CONFIRM, {"study": row.id, "confirmation": change.wanted.model_dump_json()})
        if row.finished_at is not None:
            _continue(connection, name, row.id, change)
        ordered.note(connection, name)
    return studies.get(db, name)


def _continue(connection: sa.Connection, name: str, study_id: int, change: Change) -> None:
    """Open the finished study again for what is missing; a new verdict alone leaves it finished."""
    study = {"study": study_id}
    before = connection.execute(_DECISION, study).scalar_one()
    if confirmation.schedule(connection, study_id):
        connection.execute(_REOPEN, study)
        return
    if connection.execute(_DECISION, study).scalar_one() != before:
        return
    if not connection.execute(_IS_FOUND, study).scalar_one():
        raise NotConfirmable(name, "none of its trials is complete: extend it, or mend what makes them fail")
    raise NotConfirmable(name, change.nothing(before))


def _locked(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = connection.execute(_LOCK, {"name": name}).one_or_none()
    if row is None:
        raise UnknownStudy(name)
    return row
