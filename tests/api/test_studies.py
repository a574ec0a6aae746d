"""Studies over REST, from submission to deletion."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import sqlalchemy as sa

from search_spaces import parse_definition
from service.api.app import create_app
from service.api.models import CountsOut
from service.storage.database.database import Database
from service.storage.database.tables import SCHEMA
from service.storage.states import RunState
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.serving import served


def test_a_submitted_study_is_there_with_its_whole_queue(api: httpx.Client) -> None:
    response = api.post("/v1/studies", json=definition_data(trials=6))
    assert response.status_code == 201
    assert response.headers["Location"] == "studies/digits-1"  # of /v1/studies
    study = api.get(response.url.join(response.headers["Location"])).json()
    assert study["state"] == "running"
    assert study["counts"] == {
        "waiting": 6,
        "running": 0,
        "complete": 0,
        "pruned": 0,
        "failed": 0,
        "cancelled": 0,
        "paused": 0,
    }
    assert study["budget"] == {
        "trials": 6,
        "finished": 0,
        "elapsed_s": 0.0,
        "wall_time_s": None,
        "device_time_s": None,
        "spent_s": 0.0,
        "patience": None,
        "epochs": None,
        "booked_epochs": 0,
    }
    assert study["priority"] == 0
    assert study["best"] is None
    assert study["objectives"] == [{"metric": "val_loss", "direction": "minimize"}]
    assert study["links"] == {
        "self": "/v1/studies/digits-1",
        "report": "/v1/studies/digits-1/report",
        "dashboard": "http://127.0.0.1:8080/studies/digits-1",
        "weights": "/v1/studies/digits-1/winner/weights",
    }
    assert study["definition"]["search_space"]["drop_rate"]["step"] == 0.1


def test_a_shown_definition_can_be_submitted_again(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data(budget={"trials": 2, "wall_time": "1h30m"}))
    definition = api.get("/v1/studies/digits-1").json()["definition"]
    assert definition["budget"]["wall_time"] == 5400
    again = api.post("/v1/studies", json={**definition, "name": "digits-2"})
    assert again.status_code == 201
    assert api.get("/v1/studies/digits-2").json()["definition"] == {**definition, "name": "digits-2"}


def test_the_list_is_paged_newest_first(api: httpx.Client) -> None:
    for number in range(3):
        api.post("/v1/studies", json=definition_data(f"digits-{number}", trials=1))
    page = api.get("/v1/studies", params={"limit": 2}).json()
    assert [study["name"] for study in page["studies"]] == ["digits-2", "digits-1"]
    assert page["total"] == 3
    rest = api.get("/v1/studies", params={"limit": 2, "offset": 2}).json()
    assert [study["name"] for study in rest["studies"]] == ["digits-0"]


def test_every_state_of_a_run_is_counted() -> None:
    assert list(CountsOut.model_fields) == list(RunState)


def test_a_long_list_takes_no_more_statements_than_a_short_one(database: Database, database_url: str) -> None:
    for number in range(30):
        studies.create(database, parse_definition(definition_data(f"digits-{number}", trials=1)))
    work(database, studies.get(database, "digits-0"), limit=1)
    app = create_app(settings_for(database_url))
    sent: list[str] = []
    sa.event.listen(app.state.database.engine, "before_cursor_execute", lambda *event: sent.append(event[2]))
    taken = {}
    with served(app) as address, httpx.Client(base_url=address) as client:
        for limit in (3, 3, 30):  # the first opens the connection, which asks for more
            sent.clear()
            assert len(client.get("/v1/studies", params={"limit": limit}).json()["studies"]) == limit
            taken[limit] = len(sent)
    assert taken == {3: 3, 30: 3}  # the page, its best runs, the total


def test_pause_resume_stop(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data(trials=3))
    states = [api.post(f"/v1/studies/digits-1/{verb}").json()["state"] for verb in ("pause", "resume", "stop")]
    assert states == ["paused", "running", "stopped"]
    study = api.get("/v1/studies/digits-1").json()
    assert study["counts"]["cancelled"] == 3
    assert study["finished_at"] is not None
    refused = api.post("/v1/studies/digits-1/resume")
    assert refused.status_code == 409
    assert refused.json()["error"] == "illegal_transition"


def test_a_finished_study_is_complete_and_tells_its_budget(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=4))
    work(database, studies.get(database, "digits-1"))
    study = api.get("/v1/studies/digits-1").json()
    assert study["state"] == "complete"
    assert study["budget"]["finished"] == 4
    assert study["budget"]["elapsed_s"] > 0
    assert study["best"]["values"] == [min(t["values"][0] for t in trials_of(api))]


def test_a_deleted_study_leaves_nothing(api: httpx.Client, database: Database) -> None:
    api.post("/v1/studies", json=definition_data(trials=2))
    work(database, studies.get(database, "digits-1"))
    assert api.delete("/v1/studies/digits-1").status_code == 204
    assert api.get("/v1/studies/digits-1").status_code == 404
    assert api.delete("/v1/studies/digits-1").status_code == 404
    assert api.get("/v1/studies").json() == {"studies": [], "total": 0}
    assert rows(database, f"{SCHEMA}.runs", f"{SCHEMA}.curves", "studies", "trials") == [0, 0, 0, 0]


def test_of_eight_that_create_one_name_at_once_one_wins(api: httpx.Client, database: Database) -> None:
    def create(_: int) -> int:
        return api.post("/v1/studies", json=definition_data(trials=20)).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(create, range(8)))
    assert statuses == [201] + [409] * 7
    assert rows(database, f"{SCHEMA}.studies", "studies", f"{SCHEMA}.runs") == [1, 1, 20]


def test_many_may_stop_a_study_at_once(api: httpx.Client) -> None:
    """More than the controller has connections: no request may wait for a second one while it holds its first."""
    api.post("/v1/studies", json=definition_data(trials=3))

    def stop(_: int) -> int:
        return api.post("/v1/studies/digits-1/stop", timeout=60).status_code

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(stop, range(48))) == {200}


def test_presets_can_be_submitted_as_they_are(api: httpx.Client) -> None:
    names = api.get("/v1/presets").json()["presets"]
    assert "quickstart" in names
    for name in names:
        preset = api.get(f"/v1/presets/{name}").json()
        assert api.post("/v1/studies", json=preset).status_code == 201


def trials_of(api: httpx.Client) -> list[dict]:
    return api.get("/v1/studies/digits-1/trials").json()["trials"]


def rows(database: Database, *tables: str) -> list[int]:
    with database.engine.connect() as connection:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]
