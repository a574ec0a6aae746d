"""What trials are made from besides their study's results: chosen configurations, and an earlier study's trials.

A configuration stands in its run's row, `given`, from before the run is first claimed; it never changes afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from search_spaces.known import Given
from service.storage.database.database import Database
from service.storage.records import Lease
from service.storage.runs.expressions import PLACE

_GIVEN = sa.text(
    f"""
    SELECT {PLACE} AS place, given FROM fleet.runs
    WHERE study_id = :study AND ordinal <= :ordinal AND given IS NOT NULL
    """
)
_HISTORY = sa.text("SELECT trials FROM fleet.histories WHERE study_id = :study")
_GIVE = sa.text(
    "UPDATE fleet.runs SET given = cast(:given AS jsonb) WHERE study_id = :study AND ordinal = :ordinal"
).bindparams(sa.bindparam("given", type_=sa.JSON))


def given_until(db: Database, lease: Lease) -> dict[int, Given]:
    """Return the chosen parameters of the study's runs up to this one, by their places in the search."""
    values = {"study": lease.study_id, "ordinal": lease.ordinal}
    with db.single() as connection:
        return {row.place: row.given for row in connection.execute(_GIVEN, values)}


def history_of(db: Database, lease: Lease) -> Sequence[Mapping[str, Any]]:
    """Return the trials of an earlier study that the study's sampler knows: see `search_spaces.optuna.history_of`."""
    if lease.definition.start_from is None:
        return ()
    with db.single() as connection:
        trials: list[dict[str, Any]] = connection.execute(_HISTORY, {"study": lease.study_id}).scalar_one()
    return trials


def begin_with(connection: sa.Connection, study_id: int, given: Sequence[Given]) -> None:
    """Give the study's first runs these parameters; the caller has just created them."""
    for ordinal, params in enumerate(given):
        give(connection, study_id, ordinal, params)


def give(connection: sa.Connection, study_id: int, ordinal: int, params: Given) -> None:
    """Give the run these parameters; the caller knows that it was never claimed, and has locked it."""
    connection.execute(_GIVE, {"study": study_id, "ordinal": ordinal, "given": dict(params)})
