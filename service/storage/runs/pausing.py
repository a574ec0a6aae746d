"""A trial at the end of a leg: it goes on at once if it may, else it pauses, and its worker is free."""

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.errors import LeaseLost
from service.storage.records import Lease, Log
from service.storage.runs import holding, legs, logs
from service.storage.runs.claiming import goes_on
from service.storage.runs.endings import close_finished_studies
from service.storage.runs.expressions import SPENT_S
from service.storage.states import RunState

_REACHED = sa.text(
    "UPDATE fleet.legs SET cost = :cost WHERE run_id = :run AND epochs = :epochs RETURNING bracket, place"
)

_BOOKED = sa.text("SELECT booked FROM fleet.runs WHERE id = :run")

_LAST_REACHED = sa.text("SELECT max(epochs) FROM fleet.legs WHERE run_id = :run AND cost IS NOT NULL")

# The number of those that have reached the rung, and of the better ones among them.
_RANK = sa.text(
    """
    SELECT count(*) AS reached, count(*) FILTER (WHERE (l.cost, l.place) < (:cost, :place)) AS better
    FROM fleet.legs l
    WHERE l.study_id = :study AND (l.bracket, l.epochs) = (:bracket, :epochs) AND l.cost IS NOT NULL
    """
)
_PAUSE = sa.text(
    f"""
    UPDATE fleet.runs SET state = 'paused', worker_id = NULL, reason = NULL,
        best_epoch = :best_epoch, spent_s = {SPENT_S}, leased_at = NULL, lease_until = NULL
    WHERE {holding.IS_HELD}
    """
)


def reached(db: Database, lease: Lease, until: int, cost: float) -> int | None:
    """Note that the trial has reached the end of its leg with this cost, and return where its next leg ends, if that
    begins at once: it is among the best of its rung so far. None: it pauses.

    In a search with a lag all pause: what goes on there must not depend on who was faster. It is safe to
    repeat: a leg that an earlier call has begun goes on.

    Raises:
        LeaseLost: as for `holding.renew`.
    """
    with db.engine.begin() as connection:
        legs.lock(connection, lease.study_id)
        if not holding.is_held(connection, lease):
            raise LeaseLost(lease.run_id, lease.token)
        booked: int = connection.execute(_BOOKED, {"run": lease.run_id}).scalar_one()
        if booked > until:  # an earlier call, whose answer was lost, has begun the next leg
            return booked
        leg = connection.execute(_REACHED, {"run": lease.run_id, "epochs": until, "cost": cost}).one()
        to = lease.definition.pruner.after(lease.definition.task.epochs)[leg.bracket, until]
        at = {"epochs": until, "cost": cost, "bracket": leg.bracket, "place": leg.place}
        rank = connection.execute(_RANK, {"study": lease.study_id, **at}).one()
        if (
            lease.definition.sampler.lag is not None
            or rank.better >= rank.reached // lease.definition.pruner.one_in
            or not goes_on(connection, lease.study_id)
            or not legs.pays_for(connection, lease.study_id, lease.definition, until, to)
        ):
            return None
        legs.begin(connection, lease.study_id, legs.Leg(lease.run_id, until, to, leg.place, leg.bracket))
        writes = holding.change(connection, lease, booked=to)
    lease.written.count = writes
    return to


def last_reached(db: Database, lease: Lease) -> int | None:
    """The epochs of the run's last leg whose end was reached, by whichever holder; None without one."""
    with db.engine.connect() as connection:
        epochs: int | None = connection.execute(_LAST_REACHED, {"run": lease.run_id}).scalar_one()
    return epochs


def pause(db: Database, lease: Lease, best_epoch: int | None, log: Log | None = None) -> None:
    """Let the run wait at its rung, without a holder. It is safe to repeat, and no failed attempt.

    Raises:
        LeaseLost: as for `holding.renew`.
    """
    with db.engine.begin() as connection:
        if log is not None and holding.is_held(connection, lease):
            logs.write(connection, lease, log)
        if connection.execute(_PAUSE, {**holding.key(lease), "best_epoch": best_epoch}).rowcount == 0:
            holding.refuse_unless_brought_to(connection, lease, RunState.PAUSED)
    close_finished_studies(db, lease.study_id)
