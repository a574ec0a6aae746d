"""Finds studies for people: by a part of what is written of them, by tags, by state."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.runs.expressions import SIGN
from service.storage.states import StudyState
from service.storage.studies import reading

LONGEST_TEXT = 200  # characters


@dataclass(frozen=True)
class Sought:
    """What studies are looked for; the empty one finds all."""

    text: str = ""  # a part of the name, the description or the note, in any case
    tags: tuple[str, ...] = ()  # all of these
    state: StudyState | None = None


_COMPLETE = """coalesce((
    SELECT sum(complete) FROM fleet.run_counts WHERE study_id = studies.id AND stage = 'search'), 0) > 0"""
# As `studies` derives them.
_STATES = {
    StudyState.RUNNING: "finished_at IS NULL AND state = 'running'",
    StudyState.PAUSED: "finished_at IS NULL AND state = 'paused'",
    StudyState.STOPPED: "state = 'stopped'",
    StudyState.COMPLETE: f"finished_at IS NOT NULL AND state <> 'stopped' AND {_COMPLETE}",
    StudyState.FAILED: f"finished_at IS NOT NULL AND state <> 'stopped' AND NOT {_COMPLETE}",
}
_TEXT = """strpos(lower(concat_ws(chr(10), name, definition->>'description', note)), lower(:text)) > 0"""
_TAGS = sa.text(
    """
    SELECT tag FROM fleet.studies CROSS JOIN LATERAL unnest(tags) AS tag GROUP BY tag
    ORDER BY count(*) DESC, tag LIMIT :limit
    """
)
# Where the best value so far became better, by the number of complete trials then. The cost is a value whose lowest is
# the best. Studies are named by the caller, who asks again only for those that have grown.
_IMPROVEMENTS = sa.text(
    f"""
    SELECT study_id, nth, value FROM (
        SELECT r.study_id, values[1] AS value, s.sign * values[1] AS cost, row_number() OVER trained AS nth,
            min(s.sign * values[1]) OVER (trained ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM fleet.runs r
        JOIN (SELECT id, {SIGN.format("definition")} AS sign FROM fleet.studies) s ON s.id = r.study_id
        WHERE r.study_id = ANY(:studies) AND r.stage = 'search' AND r.state = 'complete' AND values[1] IS NOT NULL
        WINDOW trained AS (PARTITION BY r.study_id ORDER BY r.finished_at, r.id)) better
    WHERE before IS NULL OR cost < before ORDER BY study_id, nth
    """
)


def count(db: Database, sought: Sought) -> int:
    """Return how many studies there are."""
    clause, values = _which(sought)
    with db.engine.connect() as connection:
        return int(connection.execute(sa.text(f"SELECT count(*) FROM fleet.studies {clause}"), values).scalar_one())


def page(db: Database, sought: Sought, limit: int, offset: int) -> list[StudyRecord]:
    """Return a page of them, the newest first, in two statements whatever its length."""
    clause, values = _which(sought)
    which = f"{clause} ORDER BY id DESC LIMIT :limit OFFSET :offset"
    return reading.records(db, which, **values, limit=limit, offset=offset)


def tags(db: Database, limit: int = 50) -> list[str]:
    """Return the tags that studies have, the most frequent ones first."""
    with db.engine.connect() as connection:
        return list(connection.execute(_TAGS, {"limit": limit}).scalars())


def improvements(db: Database, study_ids: Sequence[int]) -> dict[int, list[tuple[int, float]]]:
    """Return by study the complete trials, from 1 in the order of their ends, that were the best so far, and their
    values."""
    found: dict[int, list[tuple[int, float]]] = {study: [] for study in study_ids}
    if not found:
        return found
    with db.engine.connect() as connection:
        for row in connection.execute(_IMPROVEMENTS, {"studies": list(found)}):
            found[row.study_id].append((row.nth, row.value))
    return found


def _which(sought: Sought) -> tuple[str, dict[str, object]]:
    clauses: list[str] = []
    values: dict[str, object] = {}
    if sought.text:
        clauses.append(_TEXT)
        values["text"] = sought.text
    if sought.tags:
        clauses.append("tags @> cast(:tags AS text[])")
        values["tags"] = list(sought.tags)
    if sought.state is not None:
        clauses.append(f"({_STATES[sought.state]})")
    return f"WHERE {' AND '.join(clauses)}" if clauses else "", values
