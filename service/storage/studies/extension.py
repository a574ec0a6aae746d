"""Adds work to a running or finished study: further trials, or a confirmation."""

from typing import Any

import sqlalchemy as sa

from search_spaces import Confirmation
from search_spaces.budget import MOST_TRIALS
from service.storage.database.database import Database
from service.storage.errors import NotConfirmable, NotExtendable, UnknownStudy
from service.storage.records import StudyRecord
from service.storage.runs import confirmation, limits, supply
from service.storage.studies import studies

_LOCK = sa.text("SELECT id, state, stage, finished_at, definition FROM fleet.studies WHERE name = :name FOR UPDATE")

# A finished study runs again, also if it was paused before its last run ended; the time between does not count as wall
# time.
_OPEN_AGAIN = """
    finished_at = NULL, started_at = started_at + coalesce(now() - finished_at, interval '0'),
    state = CASE WHEN finished_at IS NULL THEN state ELSE 'running' END
"""
_EXTEND = sa.text(
    f"""
    UPDATE fleet.studies SET {_OPEN_AGAIN}, stage = 'search', closing = NULL, to_come = to_come + :more,
        definition = jsonb_set(definition, '{{budget,trials}}', to_jsonb(cast(:trials AS int)))
    WHERE id = :study
    """
)
_CONFIRM = sa.text(
    f"""
    UPDATE fleet.studies SET {_OPEN_AGAIN},
        definition = jsonb_set(definition, '{{confirmation}}', cast(:confirmation AS jsonb))
    WHERE id = :study
    """
)
_IS_FOUND = sa.text(
    "SELECT EXISTS (SELECT FROM fleet.runs WHERE study_id = :study AND stage = 'search' AND state = 'complete')"
)
_IS_CONFIRMED = sa.text("SELECT EXISTS (SELECT FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation')")


def extend(db: Database, name: str, trials: int) -> StudyRecord:
    """Add `trials` runs (at least 1) to the study's budget; one that has finished is searched again.

    Its row is locked meanwhile. If the end of its last run is noted before, the study is opened again; if after, it
    stays open. A stop that comes before refuses this; one that comes after cancels the new runs.

    Raises:
        UnknownStudy: there is none of this name.
        NotExtendable: the study is a grid, was stopped, is being confirmed, reached a limit, or would be too large.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        if row.state == "stopped":
            raise NotExtendable(name, "it was stopped for good: submit it under another name")
        if row.definition["sampler"]["name"] == "grid":
            raise NotExtendable(name, "its grid holds every configuration once: submit a grid with more values")
        if row.stage != "search" and row.finished_at is None:
            raise NotExtendable(name, "its best configurations are being confirmed: extend it when it has finished")
        total = row.definition["budget"]["trials"] + trials
        if total > MOST_TRIALS:
            raise NotExtendable(name, f"budget.trials must be at most {MOST_TRIALS}, got {total}")
        connection.execute(_EXTEND, {"study": row.id, "trials": total, "more": trials})
        reason = limits.reached(connection, row.id)
        if reason is not None:
            raise NotExtendable(name, f"{reason}: submit it under another name with a larger budget")
        supply.fill(connection, row.id)
    return studies.get(db, name)


def confirm(db: Database, name: str, wanted: Confirmation) -> StudyRecord:
    """Confirm the study's best configurations: at once if it has finished, else when its search has ended.

    Unset fields of `wanted` are taken from the study's definition, else from the defaults. A later call may ask for a
    larger `top`; no configuration is confirmed again.

    Raises:
        UnknownStudy: there is none of this name.
        NotConfirmable: the study has several objectives or was stopped, no trial is complete, no configuration is left,
            or others were confirmed under another number of seeds and could not be compared.
    """
    with db.engine.begin() as connection:
        row = _locked(connection, name)
        if row.state == "stopped":
            raise NotConfirmable(name, "it was stopped for good: submit it under another name")
        if len(row.definition["objectives"]) > 1:
            raise NotConfirmable(name, "it has several objectives: which configuration is best is yours to say")
        present = row.definition["confirmation"]
        whole = Confirmation(**{**(present or {}), **wanted.model_dump(exclude_unset=True)})
        folds = row.definition.get("folds")
        if folds and whole.repeats % folds:
            raise NotConfirmable(name, f"repeats must be a multiple of its {folds} folds, got {whole.repeats}")
        if connection.execute(_IS_CONFIRMED, {"study": row.id}).scalar_one():
            _refuse_unless_comparable(name, Confirmation(**present), whole)
        connection.execute(_CONFIRM, {"study": row.id, "confirmation": whole.model_dump_json()})
        if row.finished_at is not None and not confirmation.schedule(connection, row.id):
            if not connection.execute(_IS_FOUND, {"study": row.id}).scalar_one():
                raise NotConfirmable(name, "none of its trials is complete: extend it, or mend what makes them fail")
            raise NotConfirmable(name, "none of its complete configurations is left to confirm: ask for a larger top")
    return studies.get(db, name)


def _refuse_unless_comparable(name: str, present: Confirmation, wanted: Confirmation) -> None:
    if wanted.repeats != present.repeats:
        seeds = present.repeats
        raise NotConfirmable(name, f"others were confirmed under {seeds} seeds: repeats must be {seeds}")
    if wanted.top < present.top:
        raise NotConfirmable(name, f"{present.top} of each variant are confirmed: top must be at least {present.top}")


def _locked(connection: sa.Connection, name: str) -> sa.Row[Any]:
    row = connection.execute(_LOCK, {"name": name}).one_or_none()
    if row is None:
        raise UnknownStudy(name)
    return row
