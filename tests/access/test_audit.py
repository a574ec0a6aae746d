"""Who ordered what is noted once, with the order's words, and stays when the study is gone."""

import json

from service.storage.access import deeds
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.database.ordered import LONGEST_DETAIL, LONGEST_NAME, Ordered, note, ordering
from tests.access.conftest import OPERATOR, calling, visiting
from tests.api.fleet import definition_data


def test_orders_are_noted_and_refused_ones_are_not(address: str, database: Database, secrets: dict[Role, str]) -> None:
    with calling(address, secrets[Role.SUBMIT]) as submitter, calling(address, OPERATOR) as operator:
        submitter.post("/v1/studies", json=definition_data()).raise_for_status()
        submitter.post("/v1/studies", json=definition_data())  # the name is taken
        submitter.post("/v1/studies/check", json=definition_data("digits-2"))
        submitter.post("/v1/studies/digits-1/extend", json={"trials": 3}).raise_for_status()
        submitter.patch("/v1/studies/digits-1", json={"note": "<b>ü</b>"}).raise_for_status()
        submitter.delete("/v1/studies/digits-1")  # takes an admin
        submitter.post("/v1/studies/none/pause")
        operator.post("/v1/studies/digits-1/pause").raise_for_status()
        noted = submitter.get("/v1/studies/digits-1/audit").json()
        assert [(one["caller"], one["deed"]) for one in noted["deeds"]] == [
            ("PERNODEDROP_API_KEY", "pause"),
            ("submiter", "change"),
            ("submiter", "extend"),
            ("submiter", "submit"),
        ]
        assert [one["detail"] for one in noted["deeds"]][2:] == ['{"trials": 3}', ""]
        assert json.loads(noted["deeds"][1]["detail"]) == {"note": "<b>ü</b>"}
        operator.delete("/v1/studies/digits-1").raise_for_status()
        assert submitter.get("/v1/studies/digits-1/audit").status_code == 404
        assert submitter.get("/v1/audit", params={"study": "digits-1"}).status_code == 403
        kept = operator.get("/v1/audit", params={"study": "digits-1", "limit": 1}).json()
        assert (kept["total"], kept["deeds"][0]["deed"]) == (5, "delete")


def test_no_secret_is_noted_and_no_row_is_long(address: str, database: Database) -> None:
    with calling(address, OPERATOR) as operator:
        made = operator.post("/v1/keys", json={"name": "alice", "role": "read"}).json()
        again = operator.post("/v1/keys/alice/rotate", json={}).json()
        operator.post("/v1/keys/alice/revoke")
        operator.post("/v1/studies", json=definition_data()).raise_for_status()
        link = operator.post("/v1/studies/digits-1/shares", json={"lasts_s": 60}).json()["link"]
        operator.patch("/v1/studies/digits-1", json={"note": "ü" * 600}).raise_for_status()
        page = operator.get("/v1/audit").json()["deeds"]
    assert [one["deed"] for one in page] == ["change", "share", "submit", "revoke key", "rotate key", "create key"]
    assert page[3]["detail"] == '{"key": "alice"}'
    for secret in (made["key"], again["key"], link.partition("=")[2], OPERATOR):
        assert secret not in json.dumps(page, ensure_ascii=False)
    assert max(len(one["detail"]) for one in page) == LONGEST_DETAIL


def test_what_cannot_be_stored_is_written_in_ascii(database: Database) -> None:
    ordered = Ordered("ü\0" * 300, "pause", {"note": "\ud800\0"})
    with ordering(lambda: ordered), database.engine.begin() as connection:
        note(connection, "digits-1")
    (one,), total = deeds.page(database, "digits-1", 10, 0)
    assert total == 1
    assert one.detail == '{"note": "\\ud800\\u0000"}'
    assert len(one.caller) <= LONGEST_NAME
    assert one.caller.isascii()


def test_the_pages_show_it_escaped(pages: str, address: str, secrets: dict[Role, str], study: str) -> None:
    with calling(address, OPERATOR) as operator:
        operator.patch(f"/v1/studies/{study}", json={"note": "<script>alert(1)</script>"}).raise_for_status()
    with visiting(pages, secrets[Role.READ]) as visitor:
        shown = visitor.get(f"/studies/{study}/audit")
        assert shown.status_code == 200
        assert "PERNODEDROP_API_KEY" in shown.text
        assert "<script>alert" not in shown.text
        assert "What was ordered" not in visitor.get("/access").text
    with visiting(pages, secrets[Role.ADMIN]) as admin:
        assert "What was ordered" in admin.get("/access").text
