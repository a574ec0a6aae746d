"""A lease found again by what its holder says: an own loop talks over REST, and nobody keeps its lease in memory."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.storage.database.database import Database
from service.storage.database.incarnation import INCARNATION
from service.storage.errors import LeaseLost
from service.storage.records import Lease, Written, parsed_definition
from service.storage.runs.expressions import PLACE
from service.storage.states import RunState, Stage, StudyState


@dataclass(frozen=True)
class Key:
    """What a holder proves its lease by."""

    run: int
    token: int
    claim: str  # a UUID


@dataclass(frozen=True)
class Held:
    """A run whose last holder has this lease, whatever it has come to."""

    lease: Lease
    asker: str | None
    state: RunState
    study_state: StudyState
    epoch: int  # the last one written, counted over all repeats
    for_s: float  # since it was leased; 0 once it is not
    values: list[float] | None
    best_epoch: int | None
    reason: str | None


_HELD = sa.text(
    f"""
    SELECT runs.id AS run_id, runs.study_id, ordinal, {PLACE} AS place, token, attempts, trial_id, trial_number,
        runs.stage, params, first_seed, runs.seeds, claim::text, writes, epoch, runs.state, worker_id::text AS asker,
        best_epoch, reason, values, coalesce(extract(epoch FROM now() - leased_at), 0)::float AS for_s,
        s.state AS study_state, s.definition::text AS definition, s.optuna_study_id, {INCARNATION} AS incarnation
    FROM fleet.runs JOIN fleet.studies s ON s.id = runs.study_id
    WHERE runs.id = :run AND token = :token AND claim = cast(:claim AS uuid)
    """
)
_OF_LEASE = (
    *("run_id", "study_id", "optuna_study_id", "ordinal", "place", "token", "claim", "attempts", "trial_id"),
    *("trial_number", "params", "first_seed", "seeds"),
)


def held_by(db: Database, key: Key) -> Held:
    """Return the run, as it stands for the last holder that has leased it.

    Raises:
        LeaseLost: the run has had another holder since, or is gone with its study.
    """
    values = {"run": key.run, "token": key.token, "claim": key.claim}
    with db.engine.connect() as connection:
        row = connection.execute(_HELD, values).one_or_none()
    if row is None:
        raise LeaseLost(key.run, key.token)
    db.heed(row.incarnation)
    return Held(
        lease=_lease(dict(row._mapping)),
        asker=row.asker,
        state=RunState(row.state),
        study_state=StudyState(row.study_state),
        epoch=row.epoch,
        for_s=row.for_s,
        values=row.values,
        best_epoch=row.best_epoch,
        reason=row.reason,
    )


def _lease(row: dict[str, Any]) -> Lease:
    fields = {name: row[name] for name in _OF_LEASE}
    definition = parsed_definition(row["definition"])
    return Lease(**fields, stage=Stage(row["stage"]), definition=definition, written=Written(row["writes"]))
