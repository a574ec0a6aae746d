"""A study of many ended trials, put into the tables at once, since training them takes hours."""

from typing import Any

import sqlalchemy as sa

from search_spaces import parse_definition
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from tests.api.fleet import definition_data

EPOCHS = 4

_ROWS = """
    INSERT INTO fleet.runs (study_id, ordinal) SELECT :study, n FROM generate_series(
        (SELECT count(*) FROM fleet.runs WHERE study_id = :study), CAST(:last AS bigint)) n
"""
# Of twenty trials one has failed, two were pruned, one became infinite and one has no number as its value.
_END = """
    UPDATE fleet.runs SET
        state = CASE ordinal % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'pruned' WHEN 2 THEN 'pruned' ELSE 'complete' END,
        reason = CASE ordinal % 20 WHEN 0 THEN '<b>loss</b> became nan in epoch ' || ordinal % 7 END,
        values = CASE ordinal % 20 WHEN 0 THEN NULL WHEN 3 THEN ARRAY['infinity'::float8]
            WHEN 4 THEN ARRAY['nan'::float8] ELSE ARRAY[0.1 + (ordinal * 7919 % 10007) / 10007.0] END,
        params = jsonb_build_object('drop_rate', (ordinal % 10) / 10.0, 'units', (ARRAY[32, 64, 128])[1 + ordinal % 3])
            || CASE ordinal % 3 WHEN 0 THEN '{"regularizer": "dropout"}'
            WHEN 1 THEN '{"regularizer": "pernodedrop", "stir_type": "bernoulli"}'
            ELSE '{"regularizer": "pernodedrop", "stir_type": "gaussian"}' END::jsonb,
        facts = '{"backend": "kernel", "parameters": 9098, "device": "cpu", "threads": 1}',
        token = 1, attempts = 1, epoch = :epochs, best_epoch = 2, trial_number = ordinal, spent_s = 61.5,
        started_at = now() - interval '62 seconds' + ordinal * interval '1 millisecond',
        finished_at = now() + ordinal * interval '1 millisecond'
    WHERE study_id = :study
"""


def many_trials(database: Database, name: str, trials: int, **fields: Any) -> StudyRecord:
    """Create a study whose trials have all ended, without learning curves."""
    definition = parse_definition(definition_data(name, trials, **fields))
    study = studies.create(database, definition)
    with database.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text(_ROWS), {"study": study.id, "last": trials - 1})
        connection.execute(sa.text(_END), {"study": study.id, "epochs": EPOCHS})
        ended = "UPDATE fleet.studies SET to_come = 0, started_at = created_at, finished_at = now() WHERE id = :study"
        connection.execute(sa.text(ended), {"study": study.id})
    return studies.get(database, name)
