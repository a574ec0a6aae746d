"""Keys and links are made, rotated and revoked on the pages, by the same rules as over REST."""

import json
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from service.dashboard import create_app
from service.storage.access import deeds, keys, shares
from service.storage.access.roles import Role
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.access.conftest import visiting
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.browser.forms import post

SECRET = re.compile(r'class="secret"[^>]*><code>([^<]+)</code>')


def secret_of(page: httpx.Response) -> str:
    """The secret on the page, which is the answer itself."""
    assert page.status_code == 200, page.text
    assert page.headers["Cache-Control"] == "no-store"
    found = SECRET.search(page.text)
    assert found is not None
    return unescape(found[1])


@pytest.fixture
def admin(pages: str, secrets: dict[Role, str]) -> Iterator[httpx.Client]:
    with visiting(pages, secrets[Role.ADMIN]) as client:
        yield client


def test_a_key_is_made_shown_once_rotated_and_revoked(admin: httpx.Client, pages: str, database: Database) -> None:
    name = "bob@lab.example"
    page = post(admin, "/access/orders/create", name=name, role="submit", days="30", task_modules="mylab, more.tasks")
    secret = secret_of(page)
    assert secret not in admin.get("/access").text
    with visiting(pages, secret) as bob:
        assert f"{name} · submit" in unescape(bob.get("/studies").text)
    [made] = [key for key in keys.listing(database) if key.name == name]
    assert (made.role, made.task_modules, made.ends_at is None) == (Role.SUBMIT, ("mylab", "more.tasks"), False)

    rotated = secret_of(post(admin, f"/access/keys/{name}/orders/rotate", grace="0"))
    assert rotated != secret
    with visiting(pages, rotated) as bob:
        assert bob.get("/studies").status_code == 200
        ended = post(admin, f"/access/keys/{name}/orders/revoke")
        assert ended.status_code == 303
        assert "is revoked" in admin.get(ended.headers["Location"]).text
        assert bob.get("/studies").status_code in {303, 401}

    noted, _ = deeds.page(database, None, 10, 0)
    assert [one.deed for one in noted][:3] == ["revoke key", "rotate key", "create key"]
    assert all(one.study is None and name in one.detail for one in noted[:3])
    assert not any(secret in one.detail or rotated in one.detail for one in noted)


def test_a_form_that_is_sent_twice_makes_one_key(admin: httpx.Client, database: Database) -> None:
    shown = admin.get("/access/orders/create").text
    hidden = dict(re.findall(r'<input type="hidden" name="(token|number)" value="([^"]*)"', shown))
    both = [admin.post("/access/orders/create", data={**hidden, "name": "eve", "role": "read"}) for _ in range(2)]
    assert secret_of(both[0]) == secret_of(both[1])
    assert sum(key.name == "eve" for key in keys.listing(database)) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "", "role": "read"}, "name"),
        ({"name": "<b>", "role": "read"}, "name"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x", "role": "read", "days": "0"}, "days must be a whole number from 1 to 3660"),
        ({"name": "x", "role": "read", "days": "1e3"}, "days must be a whole number"),
        ({"name": "x", "role": "submit", "task_modules": "../etc"}, "task_modules"),
    ],
)
def test_what_a_key_cannot_be_shows_the_form_again(
    admin: httpx.Client, database: Database, fields: dict[str, str], said: str
) -> None:
    before = len(keys.listing(database))
    refused = post(admin, "/access/orders/create", **fields)
    assert refused.status_code == 422
    assert said in unescape(refused.text)
    assert "<b>" not in re.sub(r"<b>noise", "", refused.text)
    assert len(keys.listing(database)) == before


def test_a_name_that_is_taken_or_unknown_is_told(admin: httpx.Client) -> None:
    first = admin.get("/access").text
    name = next(iter(re.findall(r"/access/keys/([^/]+)/orders|access/keys/([^/]+)/orders", first)))
    taken = name[0] or name[1]
    assert post(admin, "/access/orders/create", name=taken, role="read").status_code == 409
    assert admin.get("/access/keys/nobody/orders/revoke").status_code == 404
    assert admin.get("/access/keys/%22%3E/orders/revoke").status_code == 404


def test_a_link_is_made_and_revoked(
    admin: httpx.Client, pages: str, secrets: dict[Role, str], study: str, database: Database
) -> None:
    with visiting(pages, secrets[Role.SUBMIT]) as client:
        link = secret_of(post(client, f"/studies/{study}/orders/share", days="2"))
        token = link.partition("token=")[2]
        with httpx.Client(base_url=pages) as guest:
            assert guest.get("/shared", params={"token": token}).status_code == 303
            # The cookie's path is that of the answer.
            assert guest.get(f"/studies/{study}").status_code == 200
            assert guest.get(f"/studies/{study}/links").status_code == 403
        [share] = shares.listing(database, study)
        listed = client.get(f"/studies/{study}/links").text
        assert f"links/{share.id}/orders/revoke" in listed
        assert token not in listed
        assert post(client, f"/studies/{study}/links/{share.id}/orders/revoke").status_code == 303
        assert shares.listing(database, study)[0].has_ended
    noted, _ = deeds.page(database, study, 10, 0)
    assert [one.deed for one in noted][:2] == ["revoke share", "share"]
    assert not any(token in one.detail for one in noted)


def test_a_form_forges_nothing_in_the_audit(
    pages: str, secrets: dict[Role, str], study: str, database: Database
) -> None:
    keys.create(database, "alice", Role.READ, by="tests")
    keys.create(database, "bob", Role.READ, by="tests")
    with visiting(pages, secrets[Role.ADMIN]) as client:
        forged = {"key": "bob", "caller": "submiter", "why": "bob asked for it"}
        assert post(client, "/access/keys/alice/orders/revoke", **forged).status_code == 303
        assert post(client, f"/studies/{study}/orders/prioritize", priority="7", study="another").status_code == 303
    assert [one.name for one in keys.listing(database) if one.revoked_at] == ["alice"]
    [prioritized, revoked], _ = deeds.page(database, None, 2, 0)
    assert (revoked.caller, revoked.deed, json.loads(revoked.detail)) == ("adminer", "revoke key", {"key": "alice"})
    assert (prioritized.study, json.loads(prioritized.detail)) == (study, {"priority": "7"})


def test_roles_that_may_not(pages: str, secrets: dict[Role, str], study: str, database: Database) -> None:
    before = len(keys.listing(database))
    for role in (Role.READ, Role.SUBMIT):
        with visiting(pages, secrets[role]) as client:
            assert client.get("/access/orders/create").status_code == 403
            assert "/access/orders/create" not in client.get("/access").text
    with visiting(pages, secrets[Role.READ]) as client:
        assert client.get(f"/studies/{study}/orders/share").status_code == 403
        assert client.get(f"/studies/{study}/links").status_code == 403
        assert "Share" not in client.get(f"/studies/{study}/trials").text
    assert len(keys.listing(database)) == before


def test_the_first_key_is_an_admins_and_its_page_says_what_follows(database_url: str, database: Database) -> None:
    with served(create_app(settings_for(database_url))) as address, httpx.Client(base_url=address) as client:
        refused = post(client, "/access/orders/create", name="reader", role="read")
        assert refused.status_code == 422
        assert "role must be admin where no open key is" in refused.text
        assert not keys.are_there(database)
        page = post(client, "/access/orders/create", name="root", role="admin")
        secret = secret_of(page)
        assert "ask for a key: log in with this one" in page.text
        assert client.get("/studies").status_code in {303, 401}
        with visiting(address, secret) as root:
            assert "root · admin" in root.get("/studies").text
    assert studies.count(database) == 0


def test_a_form_that_changes_nothing_says_so_and_is_not_noted(
    pages: str, secrets: dict[Role, str], study: str, database: Database
) -> None:
    with visiting(pages, secrets[Role.ADMIN]) as admin:
        for order, fields in {
            "pause": {},
            "prioritize": {"priority": "3"},
            "note": {"tags": "paper", "note": "x"},
            "stop": {},
        }.items():
            page = f"/studies/{study}/orders/{order}"
            first, again = (post(admin, page, **fields) for _ in range(2))
            assert "Nothing was changed" not in admin.get(first.headers["Location"]).text, order
            assert "Nothing was changed: it was so already." in admin.get(again.headers["Location"]).text, order
    noted, _ = deeds.page(database, study, 10, 0)
    assert [one.deed for one in noted] == ["stop", "note", "prioritize", "pause"]
