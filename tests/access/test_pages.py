"""The dashboard knows who has logged in; a link shows one study to whoever has it."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from search_spaces import parse_definition
from service.dashboard import create_app as create_dashboard
from service.dashboard.access.sharing import is_shared
from service.storage.access import keys, shares
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.access.conftest import HTML, OPERATOR, calling, visiting
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data
from tests.api.serving import served
from tests.browser.forms import value_of


def test_every_role_logs_in_and_the_page_says_which(pages: str, secrets: dict[Role, str], study: str) -> None:
    for name, role, key in [*((f"{role}er", role, key) for role, key in secrets.items()), (None, Role.ADMIN, OPERATOR)]:
        with visiting(pages, key) as visitor:
            shown = visitor.get("/access")
            assert shown.status_code == 200
            assert f"{name or 'PERNODEDROP_API_KEY'} · {role}" in shown.text
            assert ("<h2>Keys</h2>" in shown.text) is (role is Role.ADMIN)
            assert visitor.get(f"/studies/{study}").status_code == 200
            assert visitor.post("/logout", data={"token": value_of("token", shown.text)}).status_code == 303
            assert visitor.get("/access").status_code == 303


@pytest.mark.usefixtures("no_memory")
def test_an_open_session_ends_with_its_key(pages: str, secrets: dict[Role, str], database: Database) -> None:
    with visiting(pages, secrets[Role.SUBMIT]) as visitor, visiting(pages, secrets[Role.READ]) as other:
        assert visitor.get("/studies").status_code == 200
        keys.revoke(database, "submiter")
        assert visitor.get("/studies").headers["Location"].startswith("./login")
        assert visitor.get("/studies", headers={"Accept": "application/json"}).status_code == 401
        assert other.get("/studies").status_code == 200


def test_a_page_of_another_site_orders_nothing_with_a_session(pages: str, secrets: dict[Role, str]) -> None:
    for key in secrets.values():
        visitor = httpx.Client(base_url=pages)
        cookie = visitor.post("/login", data={"key": key}).headers["Set-Cookie"]
        assert "SameSite=strict" in cookie
        assert "HttpOnly" in cookie
        visitor.close()


def test_a_dashboard_without_a_key_asks_for_one_as_soon_as_there_is_one(database_url: str, database: Database) -> None:
    with served(create_dashboard(settings_for(database_url))) as address, httpx.Client(base_url=address) as visitor:
        assert "this machine · admin" in visitor.get("/access").text
    keys.create(database, "alice", Role.READ, by="tests", has_admin=True)
    with served(create_dashboard(settings_for(database_url))) as address, httpx.Client(base_url=address) as visitor:
        assert visitor.get("/access", headers=HTML).status_code == 303


def shared(pages: str, database: Database, study: str) -> tuple[httpx.Client, int]:
    """A browser that has followed a link, and the link's id."""
    made, token = shares.create(database, study, timedelta(days=7), by="tests")
    visitor = httpx.Client(base_url=pages, headers=HTML, timeout=60)
    entered = visitor.get("/shared", params={"token": token})
    assert (entered.status_code, entered.headers["Location"]) == (303, f"studies/{study}")
    assert token not in entered.headers["Location"]
    assert entered.headers["Referrer-Policy"] == "no-referrer"
    cookie = entered.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    return visitor, made.id


@pytest.mark.usefixtures("no_memory")
def test_a_link_shows_one_study_until_it_is_revoked(
    pages: str, address: str, database: Database, study: str, secrets: dict[Role, str]
) -> None:
    studies.create(database, parse_definition(definition_data("digits-10")))
    visitor, share = shared(pages, database, study)
    shown = visitor.get(f"/studies/{study}")
    assert shown.status_code == 200
    assert "shared with you" in shown.text
    assert "dashboard/studies" not in shown.text
    for path in ("/studies", "/access", "/dashboard", "/api/studies", "/studies/digits-10", f"/studies/{study}/audit"):
        refused = visitor.get(path)
        assert refused.status_code == 403, path
        assert "digits-10" not in refused.text
    assert visitor.post(f"/studies/{study}").status_code == 403
    assert visitor.get(f"/studies/{study}/../digits-10").status_code in (303, 403, 404)
    token = visitor.cookies["pernodedrop_link"]
    assert httpx.get(f"{address}/v1/whoami", headers={"X-API-Key": token}).status_code == 401  # a link is no key
    assert httpx.post(f"{pages}/login", data={"key": token}).status_code == 401
    shares.revoke(database, study, share)
    assert visitor.get(f"/studies/{study}").status_code == 303
    ended = httpx.get(f"{pages}/shared", params={"token": token})
    assert ended.status_code == 403
    assert "ask who sent it for another" in ended.text
    visitor.close()


@pytest.mark.usefixtures("no_memory")
def test_a_link_ends_by_time_and_with_its_study(pages: str, database: Database, study: str) -> None:
    visitor, share = shared(pages, database, study)
    with database.engine.begin() as connection:
        connection.execute(sa.text("UPDATE fleet.shares SET ends_at = now() WHERE id = :id"), {"id": share})
    assert visitor.get(f"/studies/{study}").status_code == 303
    visitor.close()
    visitor, _ = shared(pages, database, study)
    studies.delete(database, study)
    studies.create(database, parse_definition(definition_data()))  # another study of the same name
    assert visitor.get(f"/studies/{study}").status_code == 303
    visitor.close()


@pytest.mark.parametrize("token", ["", "x", "pns_", "pns_" + "A" * 43, "pns_\0", "pns_ü", "pns_" + "A" * 9000])
def test_a_token_that_is_none_is_told(pages: str, token: str) -> None:
    assert httpx.get(f"{pages}/shared", params={"token": token}).status_code == 403


def test_a_key_goes_before_a_link(pages: str, database: Database, study: str, secrets: dict[Role, str]) -> None:
    visitor, _ = shared(pages, database, study)
    visitor.post("/login", data={"key": secrets[Role.READ]})
    assert visitor.get("/studies").status_code == 200
    visitor.close()


@pytest.mark.parametrize(
    ("method", "path", "is_there"),
    [
        ("GET", "/studies/a", True),
        ("GET", "/studies/a/", True),
        ("GET", "/studies/a/trials/3", True),
        ("HEAD", "/studies/a", True),
        ("POST", "/studies/a", False),
        ("GET", "/studies/ab", False),
        ("GET", "/studies/a/weights", False),
        ("GET", "/studies/a/trials/../../b", False),
        ("GET", "/studies", False),
        ("GET", "//studies/a", False),
        ("GET", "/dashboard/studies/1", False),
    ],
)
def test_what_a_link_shows(method: str, path: str, is_there: bool) -> None:
    assert is_shared(method, path, "a") is is_there


def test_a_link_is_made_listed_and_revoked_over_rest(address: str, study: str, secrets: dict[Role, str]) -> None:
    with calling(address, secrets[Role.SUBMIT]) as client:
        made = client.post(f"/v1/studies/{study}/shares", json={"lasts_s": 3600}).json()
        assert made["link"].startswith("http://127.0.0.1:8080/shared?token=pns_")
        listed = client.get(f"/v1/studies/{study}/shares")
        assert [one["id"] for one in listed.json()["shares"]] == [made["id"]]
        assert made["link"].partition("=")[2] not in listed.text
        assert client.post(f"/v1/studies/{study}/shares/{made['id']}/revoke").json()["has_ended"] is True
        assert client.post(f"/v1/studies/{study}/shares/99/revoke").json()["error"] == "unknown_share"
        assert client.post("/v1/studies/none/shares", json={"lasts_s": 3600}).json()["error"] == "unknown_study"
