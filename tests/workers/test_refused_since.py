"""A study that was accepted once is listed, shown, trained and reported, whatever today's rules say of it."""

import json
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import InvalidDefinition, StudyShape, parse_definition
from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.storage import audit
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.workers.conftest import StartWorker

ACCEPTED: dict[str, Any] = {
    "name": "accepted-once",
    "task": {"name": "digits", "epochs": 2, "train_size": 64},
    "search_space": {"drop_rate": {"type": "float", "low": 0.0, "high": 0.9, "step": 0.1}},
    "fixed": {"regularizer": "dropout", "units": 8},
    "sampler": {"name": "random", "seed": 3},
    "budget": {"trials": 2},
    "confirmation": {"top": 1, "repeats": 2},
}
# What today's rules do not let pass: an unknown parameter, one that is fixed and searched at once, and one that is
# outside its domain; a pruner that can stop nothing.
REFUSED: dict[str, Any] = {
    **ACCEPTED,
    "search_space": {**ACCEPTED["search_space"], "tempo": {"type": "float", "low": 0.1, "high": 0.2}},
    "fixed": {**ACCEPTED["fixed"], "drop_rate": 0.5, "batch_size": 2_000_000},
    "pruner": {"name": "wilcoxon", "p_threshold": 0.0},
}


@pytest.fixture
def stored(db: Database) -> dict[str, Any]:
    """The definition as the database holds it."""
    studies.create(db, parse_definition(ACCEPTED))
    definition = StudyShape.model_validate(REFUSED).model_dump(mode="json")
    change = sa.text("UPDATE fleet.studies SET definition = cast(:definition AS jsonb) RETURNING definition")
    with db.engine.begin() as connection:
        row = connection.execute(change, {"definition": json.dumps(definition)})
        stored: dict[str, Any] = row.scalar_one()
    return stored


def test_rules_refuse_it_and_its_shape_can_be_read(stored: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        parse_definition(stored)
    paths = {problem.path for problem in refused.value.problems}
    assert paths == {"search_space.tempo", "fixed.drop_rate", "fixed.batch_size", "pruner.p_threshold", "repeats"}
    assert StudyShape.model_validate(stored).model_dump(mode="json") == stored


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.wide
def test_it_is_listed_shown_trained_and_reported(
    db: Database, database_url: str, stored: dict[str, Any], start_worker: StartWorker, trained: bool
) -> None:
    if trained:
        assert start_worker("--exit-when-idle").wait(180) == 0
    settings = settings_for(database_url)
    with served(create_app(settings)) as address, httpx.Client(base_url=address) as api:
        listed, shown = api.get("/v1/studies"), api.get("/v1/studies/accepted-once")
        report, refused = api.get("/v1/studies/accepted-once/report"), api.post("/v1/studies", json=stored)
    assert [study["name"] for study in listed.json()["studies"]] == ["accepted-once"]
    assert shown.json()["definition"] == stored
    assert (report.status_code, refused.status_code) == (200, 422)
    with served(create_dashboard(settings)) as address, httpx.Client(base_url=address) as dashboard:
        pages = [dashboard.get(path) for path in ("/studies", "/studies/accepted-once")]
    assert [page.status_code for page in pages] == [200, 200]
    assert audit.audit(db) == []
    study = studies.get(db, "accepted-once")
    assert (study.finished_at is not None, study.counts["complete"]) == (trained, 2 * trained)
    assert (study.winner is not None) == trained
    if trained:
        assert study.best is not None
        assert study.best.params["tempo"] >= 0.1
        assert "dropout" in report.text
