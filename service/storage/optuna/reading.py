"""Reads Optuna's trials in bulk, with the same result as Optuna's own reader.

Optuna uses an object mapper, with an object for every parameter, attribute and report, which takes many seconds for
10,000 trials at the start of every worker. Here Postgres gathers what belongs to a trial, and one statement returns
all of it.
"""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

_GATHERED = """
    SELECT t.*, p.*, v.*, u.*, s.*, i.* FROM ({trials}) t
    CROSS JOIN LATERAL (
        SELECT array_agg(param_name ORDER BY param_id) AS names, array_agg(param_value ORDER BY param_id) AS params,
            array_agg(distribution_json ORDER BY param_id) AS distributions
        FROM trial_params WHERE trial_id = t.trial_id) p
    CROSS JOIN LATERAL (
        SELECT array_agg(CASE value_type WHEN 'INF_POS' THEN 'Infinity' WHEN 'INF_NEG' THEN '-Infinity' ELSE value END
            ORDER BY objective) AS values
        FROM trial_values WHERE trial_id = t.trial_id) v
    CROSS JOIN LATERAL (
        SELECT array_agg(key) AS user_keys, array_agg(value_json) AS user_attrs
        FROM trial_user_attributes WHERE trial_id = t.trial_id) u
    CROSS JOIN LATERAL (
        SELECT array_agg(key) AS system_keys, array_agg(value_json) AS system_attrs
        FROM trial_system_attributes WHERE trial_id = t.trial_id) s
    CROSS JOIN LATERAL (
        SELECT array_agg(step ORDER BY step) AS steps, array_agg(
            CASE intermediate_value_type WHEN 'INF_POS' THEN 'Infinity' WHEN 'INF_NEG' THEN '-Infinity'
                WHEN 'NAN' THEN 'NaN' ELSE intermediate_value END ORDER BY step) AS reports
        FROM trial_intermediate_values WHERE trial_id = t.trial_id) i
    ORDER BY t.trial_id
"""
_TRIAL = "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials WHERE"
_ONE = sa.text(_GATHERED.format(trials=f"{_TRIAL} trial_id = :trial"))
# `trial_id = ANY` looks trials up by key; an OR of both conditions would scan the whole study.
_MANY = sa.text(
    _GATHERED.format(
        trials=f"""
            {_TRIAL} study_id = :study AND trial_id > :after
            UNION ALL {_TRIAL} study_id = :study AND trial_id = ANY(:among) AND trial_id <= :after"""
    )
)


def read_trial(connection: sa.Connection, trial_id: int) -> FrozenTrial | None:
    """Return the trial, or None if there is none of this id."""
    row = connection.execute(_ONE, {"trial": trial_id}).one_or_none()
    return None if row is None else _trial(row)


def read_trials(connection: sa.Connection, study_id: int, after: int, among: Collection[int]) -> list[FrozenTrial]:
    """Return the study's trials with an id above `after`, and the earlier ones whose ids are in `among`."""
    wanted = {"study": study_id, "after": after, "among": list(among)}
    return [_trial(row) for row in connection.execute(_MANY, wanted)]


def _trial(row: sa.Row[Any]) -> FrozenTrial:
    distributions = {name: _distribution(text) for name, text in _pairs(row.names, row.distributions)}
    return FrozenTrial(
        number=row.number,
        state=TrialState[row.state],
        value=None,
        values=row.values,
        datetime_start=_local(row.datetime_start),
        datetime_complete=_local(row.datetime_complete),
        params={n: distributions[n].to_external_repr(v) for n, v in _pairs(row.names, row.params)},
        distributions=distributions,
        user_attrs=_attributes(row.user_keys, row.user_attrs),
        system_attrs=_attributes(row.system_keys, row.system_attrs),
        intermediate_values=dict(_pairs(row.steps, row.reports)),
        trial_id=row.trial_id,
    )


def _pairs(keys: list[Any] | None, values: list[Any] | None) -> Iterable[tuple[Any, Any]]:
    return zip(keys or (), values or (), strict=True)  # nothing to gather is NULL in Postgres


def _attributes(keys: list[str] | None, texts: list[str] | None) -> dict[str, Any]:
    return {key: json.loads(text) for key, text in _pairs(keys, texts)}


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _local(utc: datetime | None) -> datetime | None:
    """Return the local time: Optuna keeps UTC and shows local time, both without a zone."""
    return None if utc is None else utc.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)
