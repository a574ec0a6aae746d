"""The weights that runs have kept, as the database knows them."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from search_spaces.variants import telling_in
from service.storage.database.database import Database
from service.storage.database.tables import runs, weights
from service.storage.records import Lease, Weights
from service.storage.runs.expressions import SECOND_SIGN, SIGN, THIRD_SIGN
from service.storage.states import RunState, Stage

# Of two runs that end at once, the second waits for the first and sees what it has kept.
_ALONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('fleet.weights ' || :study, 0))")
# The best first, in the order of a study's best run: of equals the lower further costs, then the earlier one.
_KEPT = sa.text(
    f"""
    WITH study AS MATERIALIZED (
        SELECT {SIGN.format("definition")} AS sign, {SECOND_SIGN.format("definition")} AS second,
            {THIRD_SIGN.format("definition")} AS third FROM fleet.studies WHERE id = :study)
    SELECT r.id, r.params FROM fleet.runs r CROSS JOIN study
    WHERE r.study_id = :study AND r.stage = 'search' AND r.state = 'complete'
        AND EXISTS (SELECT FROM fleet.weights w WHERE w.run_id = r.id)
    ORDER BY r.values[1] * study.sign, r.values[2] * study.second, r.values[3] * study.third, r.trial_number, r.ordinal
    """
)
_ENDED = (RunState.COMPLETE, RunState.PRUNED, RunState.FAILED, RunState.CANCELLED)


def note_weights(connection: sa.Connection, lease: Lease, kept: Sequence[Weights]) -> set[int]:
    """Note what the run, which has ended in this transaction, has kept; return the runs that keep theirs no longer.

    Raises:
        ValueError: they are another run's.
    """
    if not kept:
        return set()
    if any(one.run_id != lease.run_id for one in kept):
        raise ValueError(f"weights of run {kept[0].run_id} do not belong to run {lease.run_id}")
    rows = [{name: getattr(one, name) for name in weights.c.keys()} for one in kept]  # noqa: SIM118 (no mapping)
    keeps_best = lease.stage is Stage.SEARCH and lease.definition.keep == "best"
    if keeps_best:
        connection.execute(_ALONE, {"study": str(lease.study_id)})
    connection.execute(weights.insert(), rows)
    if not keeps_best:
        return set()
    beaten = _beaten(lease.definition, connection.execute(_KEPT, {"study": lease.study_id}).all())
    connection.execute(weights.delete().where(weights.c.run_id.in_(beaten)))
    return beaten


def _beaten(definition: StudyShape, best_first: Iterable[sa.Row[tuple[int, dict[str, object]]]]) -> set[int]:
    """The runs that are not their variant's best."""
    telling = telling_in(definition.search_space)
    best: set[str] = set()
    beaten = set()
    for run in best_first:
        variant = variant_of(recorded_params(definition, run.params), telling)
        if variant in best:
            beaten.add(run.id)
        best.add(variant)
    return beaten


def of_runs(db: Database, run_ids: Collection[int]) -> Mapping[int, list[Weights]]:
    """Return what these runs have kept, by run, each by repeat; runs that keep nothing are missing."""
    return _by_run(db, weights.c.run_id.in_(run_ids))


def of_study(db: Database, study_id: int) -> Mapping[int, list[Weights]]:
    """Return what the study's runs have kept, by run, each by repeat; runs that keep nothing are missing."""
    return _by_run(db, weights.c.run_id.in_(sa.select(runs.c.id).where(runs.c.study_id == study_id)))


def named_among(db: Database, run_ids: Collection[int]) -> Mapping[int, set[str] | None]:
    """Return the digests that each of these runs names, None for one that has not ended; deleted ones are missing."""
    query = sa.select(runs.c.id, runs.c.state, weights.c.digest).outerjoin(weights, weights.c.run_id == runs.c.id)
    found: dict[int, set[str] | None] = {}
    with db.engine.connect() as connection:
        for row in connection.execute(query.where(runs.c.id.in_(run_ids))):
            if row.state not in _ENDED:
                found[row.id] = None
            elif (named := found.setdefault(row.id, set())) is not None and row.digest is not None:
                named.add(row.digest)
    return found


def _by_run(db: Database, which: sa.ColumnElement[bool]) -> Mapping[int, list[Weights]]:
    query = sa.select(weights).where(which).order_by(weights.c.run_id, weights.c.repeat)
    found: dict[int, list[Weights]] = {}
    with db.engine.connect() as connection:
        for row in connection.execute(query):
            found.setdefault(row.run_id, []).append(Weights(**row._mapping))
    return found
