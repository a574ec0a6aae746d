"""A run that is paused at a rung, as the client shows it: it has had an attempt, and it has not ended."""

from pernodedrop.client import Client
from pernodedrop.client.showing import line
from service.storage.database.database import Database
from tests.storage.climbing import paused_study


def test_a_run_at_a_rung_has_begun_and_not_ended(client: Client, database: Database) -> None:
    paused_study(database)
    study = client.study("asha")
    assert (study.details.counts.paused, study.details.counts.ended) == (2, 0)
    assert line(study.details).startswith("asha: 0/27 runs (0 complete, 1 running, 2 paused), ")
    assert '<progress value="0" max="27">' in study._repr_html_()
    assert [one.attempts for one in study.trials("paused")] == [1, 1]
