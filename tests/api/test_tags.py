"""Tags and notes: what a PATCH changes and refuses, and where both are shown."""

from datetime import UTC, datetime

import httpx

from service.dashboard.listing.card import study_card
from service.storage.database.database import Database
from service.storage.studies import extent, studies
from tests.api.fleet import definition_data


def changed(api: httpx.Client, **fields: object) -> httpx.Response:
    return api.patch("/v1/studies/digits-1", json=fields)


def named(api: httpx.Client, tag: str) -> list[str]:
    page = api.get("/v1/studies", params={"tag": tag}).json()
    assert page["total"] == len(page["studies"])
    return [study["name"] for study in page["studies"]]


def test_tags_and_a_note_are_changed_found_and_shown_everywhere(api: httpx.Client, database: Database) -> None:
    for name in ("digits-1", "digits-2"):
        api.post("/v1/studies", json=definition_data(name)).raise_for_status()
    before = studies.get(database, "digits-1")
    mark = extent.mark_of(database, before.id)
    answer = changed(api, tags=["paper", "b/2", "paper"], note="after the fix <b>").json()
    assert (answer["tags"], answer["note"], answer["priority"]) == (["b/2", "paper"], "after the fix <b>", 0)
    assert changed(api, priority=3).json()["tags"] == ["b/2", "paper"]
    assert (named(api, "paper"), named(api, "other")) == (["digits-1"], [])
    assert extent.mark_of(database, before.id) != mark  # so no report of before is served
    card = str(study_card(studies.get(database, "digits-1"), datetime.now(UTC)))
    for page in (api.get("/v1/studies/digits-1/report").text, card):
        assert "Tags: b/2, paper" in page
        assert "Note: after the fix &lt;b&gt;" in page
    assert "Tags:" not in str(study_card(studies.get(database, "digits-2"), datetime.now(UTC)))
    empty = changed(api, tags=[], note="").json()
    assert (empty["tags"], empty["note"]) == ([], "")


def test_a_change_that_breaks_a_rule_changes_nothing(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data("digits-1")).raise_for_status()
    refused = {
        "must have priority, tags or note": {},
        "must have 1 to 40 letters, digits": {"tags": ["two words"], "priority": 5},
        "NUL": {"note": "\0", "priority": 5},
        "characters": {"note": "x" * 2001},
        "tags": {"tags": [f"t{number}" for number in range(21)]},
        "body.tag": {"tag": ["x"]},
    }
    for rule, fields in refused.items():
        answer = changed(api, **fields)
        assert answer.status_code == 422, fields
        assert rule in answer.json()["message"], answer.json()
    study = api.get("/v1/studies/digits-1").json()
    assert (study["priority"], study["tags"], study["note"]) == (0, [], "")
