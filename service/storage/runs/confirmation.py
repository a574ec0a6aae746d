"""Schedules a study's confirmation after its search: runs that train the best configurations again."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from search_spaces import StudyShape, recorded_params, variant_of
from search_spaces.variants import telling_in
from service.storage.database.tables import runs
from service.storage.runs.expressions import SIGN
from service.storage.states import Stage

_STUDY = sa.text(
    """
    SELECT definition FROM fleet.studies
    WHERE id = :study AND state <> 'stopped' AND jsonb_typeof(definition->'confirmation') = 'object' FOR UPDATE
    """
)

# The best first, and the earlier one of equals.
_FOUND = sa.text(
    f"""
    WITH study AS MATERIALIZED (SELECT {SIGN.format("definition")} AS sign FROM fleet.studies WHERE id = :study)
    SELECT params FROM fleet.runs CROSS JOIN study
    WHERE study_id = :study AND stage = 'search' AND state = 'complete' AND values IS NOT NULL
    ORDER BY values[1] * study.sign, ordinal
    """
)
_CONFIRMED = sa.text("SELECT params FROM fleet.runs WHERE study_id = :study AND stage = 'confirmation'")
_LAST = sa.text("SELECT max(ordinal) FROM fleet.runs WHERE study_id = :study")
_BEGIN = sa.text("UPDATE fleet.studies SET stage = 'confirmation' WHERE id = :study")

Params = Mapping[str, Any]


def schedule(connection: sa.Connection, study_id: int) -> int:
    """Insert the missing runs of the study's confirmation, and return their number.

    Call it when no run of the study is open, in the transaction that would otherwise note its end. It locks the
    study's row, so that one of several callers inserts and the others find nothing to do. It returns 0 if the
    definition has no `confirmation`, the study was stopped or deleted, or everything was confirmed with any outcome.
    """
    study = {"study": study_id}
    stored = connection.execute(_STUDY, study).scalar_one_or_none()
    if stored is None:
        return 0
    definition = StudyShape.model_validate(stored)
    confirmed = connection.execute(_CONFIRMED, study).scalars()
    new = unconfirmed(definition, connection.execute(_FOUND, study).scalars(), confirmed)
    if not new:
        return 0
    first = connection.execute(_LAST, study).scalar_one() + 1
    rows = [
        {"study_id": study_id, "ordinal": first + place, "stage": Stage.CONFIRMATION, "params": dict(params)}
        for place, params in enumerate(new)
    ]
    connection.execute(runs.insert(), rows)
    connection.execute(_BEGIN, study)
    return len(rows)


def unconfirmed(definition: StudyShape, best_first: Iterable[Params], confirmed: Iterable[Params]) -> list[Params]:
    """Return the parameters of each variant's `confirmation.top` best distinct configurations that were not confirmed.

    A later result may push a configuration out of the best, and one that was confirmed is never confirmed again.
    """
    top = 0 if definition.confirmation is None else definition.confirmation.top
    telling = telling_in(definition.search_space)
    known = {configuration_key(definition, params) for params in confirmed}
    chosen: dict[str, dict[str, Params]] = {}  # by variant, then by configuration
    for params in best_first:
        of_variant = chosen.setdefault(variant_of(recorded_params(definition, params), telling), {})
        if len(of_variant) < top:
            of_variant.setdefault(configuration_key(definition, params), params)
    return [
        params
        for of_variant in chosen.values()
        for configuration, params in of_variant.items()
        if configuration not in known
    ]


def configuration_key(definition: StudyShape, params: Params) -> str:
    """The parameters of a training as text; equal texts are equal trainings."""
    return json.dumps(recorded_params(definition, params), sort_keys=True)
