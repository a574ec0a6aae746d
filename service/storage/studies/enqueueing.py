"""Puts a configuration that somebody chose into a study's queue: a trial that has not begun becomes its."""

from typing import Any

import sqlalchemy as sa

from search_spaces import InvalidDefinition, Known, StudyShape, given_by
from search_spaces.known import Given
from search_spaces.resolution import is_whole
from search_spaces.rules.known import problems_of
from service.storage.database import ordered
from service.storage.database.database import Database
from service.storage.errors import NotEnqueueable, UnknownStudy
from service.storage.records import TrialRecord, parsed_definition
from service.storage.runs import known as chosen
from service.storage.runs import limits, supply
from service.storage.studies import trials

PATH = "params"  # what leads to the parameters in a message

_LOCK = sa.text(
    "SELECT id, state, stage, finished_at, definition::text FROM fleet.studies WHERE name = :name FOR UPDATE"
)
# A run that was handed back may be a trial already; one that was never claimed is none.
_FREE = "study_id = :study AND stage = 'search' AND state = 'waiting' AND token = 0 AND given IS NULL"
_NEXT = f"SELECT id, ordinal FROM fleet.runs WHERE {_FREE} ORDER BY id LIMIT 1 FOR UPDATE"
_NOT_IN_HAND = sa.text(f"{_NEXT} SKIP LOCKED")
_AFTER_ALL = sa.text(_NEXT)
_ANY = sa.text(f"SELECT EXISTS (SELECT FROM fleet.runs WHERE {_FREE})")
_SAME = sa.text(
    """
    SELECT trial_number FROM fleet.runs
    WHERE study_id = :study AND stage = 'search' AND state NOT IN ('failed', 'cancelled')
        AND coalesce(params, given) = cast(:given AS jsonb)
    ORDER BY ordinal LIMIT 1
    """
).bindparams(sa.bindparam("given", type_=sa.JSON))


def enqueue(db: Database, name: str, known: Known) -> tuple[TrialRecord, StudyShape]:
    """Make the next trial of the search that has not begun one of this configuration; return it and its study's
    definition.

    The budget stays as it is. The study's row is locked meanwhile, so that calls take trials one after another, and the
    run's row, so that a claim takes another run. The same whole configuration is taken once.

    Raises:
        UnknownStudy: there is none of this name.
        InvalidDefinition: the configuration does not suit the study's space.
        NotEnqueueable: the study was stopped, reached a limit or is a grid, has such a trial, or all trials have begun.
    """
    with db.engine.begin() as connection:
        row = connection.execute(_LOCK, {"name": name}).one_or_none()
        if row is None:
            raise UnknownStudy(name)
        definition = parsed_definition(row.definition)
        given = _given(definition, known)
        _refuse_closed(connection, name, row, definition)
        if is_whole(definition, given):
            _refuse_same(connection, name, row.id, given)
        run = _next(connection, row.id)
        if run is None and supply.fill(connection, row.id):
            run = _next(connection, row.id)
        if run is None:
            raise NotEnqueueable(name, _remedy(name, row))
        chosen.give(connection, row.id, run.ordinal, given)
        ordered.note(connection, name)
        return trials.by_id(connection, {run.id: definition})[run.id], definition


def _given(definition: StudyShape, known: Known) -> Given:
    problems = list(problems_of(definition, known, PATH))
    if problems:
        raise InvalidDefinition(problems)
    return given_by(definition, known)


def _refuse_closed(connection: sa.Connection, name: str, row: sa.Row[Any], definition: StudyShape) -> None:
    if row.state == "stopped":
        raise NotEnqueueable(name, "it was stopped for good: submit it under another name")
    if definition.sampler.visits_grid:
        reason = "its grid trains every configuration once, and has no trial to spare: submit it with start_with"
        raise NotEnqueueable(name, reason)
    reached = limits.reached(connection, row.id)
    if reached is not None:
        raise NotEnqueueable(name, f"{reached}: submit it under another name with a larger budget")


def _refuse_same(connection: sa.Connection, name: str, study_id: int, given: Given) -> None:
    same = connection.execute(_SAME, {"study": study_id, "given": given}).one_or_none()
    if same is not None:
        which = "a trial that waits" if same.trial_number is None else f"trial {same.trial_number}"
        raise NotEnqueueable(name, f"{which} has this configuration, and would give the same value again")


def _next(connection: sa.Connection, study_id: int) -> sa.Row[Any] | None:
    """Return the first free run, locked: the first that no claim has in hand, or where all are, one that it let go."""
    study = {"study": study_id}
    run = connection.execute(_NOT_IN_HAND, study).one_or_none()
    while run is None and connection.execute(_ANY, study).scalar_one():
        run = connection.execute(_AFTER_ALL, study).one_or_none()
    return run


def _remedy(name: str, row: sa.Row[Any]) -> str:
    if row.stage != "search" and row.finished_at is None:
        return "its search has ended: `extend` it by a trial when its confirmation has finished, and then enqueue"
    return f"all of its trials have begun: `pernodedrop extend {name} --trials 1` adds one"
