"""Keys of the database: made, rotated, revoked and ended, and what servers make of them."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from service.api.app import create_app
from service.storage.access import keys
from service.storage.access.roles import Role
from service.storage.access.secret import digest_of
from service.storage.database.database import Database
from tests.access.conftest import OPERATOR, calling
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served


def whoami(address: str, key: str) -> tuple[int, str]:
    with calling(address, key) as client:
        answer = client.get("/v1/whoami")
        return answer.status_code, answer.json().get("role") or answer.json()["error"]


def test_a_key_is_stored_as_its_digest_alone(database: Database) -> None:
    made, secret = keys.create(database, "alice", Role.SUBMIT, by="tests", has_admin=True)
    assert len(secret) == 47
    assert secret not in repr(made)
    with database.engine.connect() as connection:
        row = connection.execute(sa.text("SELECT k::text AS row, hash FROM fleet.access_keys k")).one()
    assert secret not in row.row
    assert bytes(row.hash) == digest_of(secret.encode())
    assert secret[:4] == "pnd_"
    assert secret != keys.create(database, "bob", Role.SUBMIT, by="tests", has_admin=True)[1]


def test_a_name_is_used_once_and_a_misspelt_one_is_told(database: Database) -> None:
    keys.create(database, "alice", Role.READ, by="tests", has_admin=True)
    keys.revoke(database, "alice")
    with pytest.raises(keys.KeyExists, match="exists already or was revoked"):
        keys.create(database, "alice", Role.ADMIN, by="tests", has_admin=True)
    with pytest.raises(keys.KeyRevoked):
        keys.rotate(database, "alice")
    with pytest.raises(keys.UnknownKey, match="did you mean alice"):
        keys.revoke(database, "alcie")


def test_keys_open_beside_the_operators_in_either_header(address: str, secrets: dict[Role, str]) -> None:
    for role, secret in secrets.items():
        assert whoami(address, secret) == (200, role)
        for said in (f"Bearer {secret}", f"bearer  {secret}"):
            answer = httpx.get(f"{address}/v1/whoami", headers={"Authorization": said})
            assert answer.json()["name"] == f"{role}er"
    assert whoami(address, OPERATOR) == (200, "admin")
    bearer = httpx.get(f"{address}/v1/whoami", headers={"Authorization": f"Bearer {OPERATOR}".encode()})
    assert bearer.json()["name"] == "PERNODEDROP_API_KEY"
    for said in (secret, f"Basic {secret}", "Bearer"):
        assert httpx.get(f"{address}/v1/whoami", headers={"Authorization": said}).status_code == 401


@pytest.mark.usefixtures("no_memory")
def test_a_key_ends_by_revocation_rotation_and_time(
    database: Database, secrets: dict[Role, str], database_url: str
) -> None:
    with served(create_app(settings_for(database_url))) as address:
        first = secrets[Role.READ]
        assert whoami(address, first) == (200, "read")
        _, second = keys.rotate(database, "reader", timedelta(hours=1))
        assert [whoami(address, one)[0] for one in (first, second)] == [200, 200]
        _, third = keys.rotate(database, "reader")
        assert whoami(address, third) == (200, "read")
        assert whoami(address, first) == (401, "wrong_key")
    with served(create_app(settings_for(database_url))) as address:  # its throttle knows no wrong keys
        assert whoami(address, second) == (401, "wrong_key")
    with served(create_app(settings_for(database_url))) as address:
        keys.revoke(database, "reader")
        assert whoami(address, third) == (401, "wrong_key")
    _, brief = keys.create(database, "brief", Role.READ, by="tests", has_admin=True, lasts=timedelta(hours=1))
    with served(create_app(settings_for(database_url))) as address:
        assert whoami(address, brief) == (200, "read")
        with database.engine.begin() as connection:
            connection.execute(sa.text("UPDATE fleet.access_keys SET ends_at = now() WHERE name = 'brief'"))
        assert whoami(address, brief) == (401, "wrong_key")
    assert [one.has_ended for one in keys.listing(database)] == [False, True, True, False]


def test_an_answer_of_the_database_counts_for_seconds(
    address: str, database: Database, secrets: dict[Role, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("service.web.keyring.monotonic", lambda: now)
    assert whoami(address, secrets[Role.READ])[0] == 200
    keys.revoke(database, "reader")
    now = 1004.9
    assert whoami(address, secrets[Role.READ])[0] == 200
    now = 1005.0
    assert whoami(address, secrets[Role.READ])[0] == 401


def test_a_server_forgets_at_once_what_it_has_revoked_itself(address: str, secrets: dict[Role, str]) -> None:
    with calling(address, secrets[Role.ADMIN]) as admin:
        assert whoami(address, secrets[Role.READ])[0] == 200
        assert admin.post("/v1/keys/reader/revoke").json()["has_ended"] is True
        assert whoami(address, secrets[Role.READ])[0] == 401


def test_guessed_keys_of_our_form_wait_like_others(address: str, secrets: dict[Role, str]) -> None:
    guess = f"pnd_{'A' * 43}"
    assert whoami(address, guess)[0] == 401
    assert whoami(address, f"pnd_{'B' * 43}") == (429, "too_many_wrong_keys")
    assert whoami(address, guess)[0] == 401  # the same one is no further guess
    assert whoami(address, secrets[Role.READ])[0] == 429


def test_a_client_beside_a_server_makes_no_admin_of_its_own_key(
    database_url: str, database: Database, secrets: dict[Role, str]
) -> None:
    """PERNODEDROP_API_KEY is what clients send, too: a server that is started there must not trust it more."""
    reader = secrets[Role.READ]
    with served(create_app(settings_for(database_url, api_key=reader))) as address:
        assert whoami(address, reader) == (200, "read")
    keys.revoke(database, "reader")
    with served(create_app(settings_for(database_url, api_key=reader))) as address:
        assert whoami(address, reader) == (401, "wrong_key")
    foreign = f"pnd_{'C' * 43}"  # the database knows it not, so it is the operator's own
    with served(create_app(settings_for(database_url, api_key=foreign))) as address:
        assert whoami(address, foreign) == (200, "admin")


def test_the_first_key_is_an_admins_whoever_makes_it(database_url: str, database: Database) -> None:
    with served(create_app(settings_for(database_url))) as address, httpx.Client(base_url=address) as client:
        refused = client.post("/v1/keys", json={"name": "first", "role": "read"})
        assert refused.status_code == 422
        assert refused.json()["message"].startswith("role must be admin where no open key is an admin's")
        assert client.get("/v1/studies").status_code == 200  # no key was made
    keys.create(database, "root", Role.ADMIN, by="tests")
    keys.create(database, "reader", Role.READ, by="tests")
    keys.revoke(database, "root")
    with pytest.raises(keys.AdminFirst, match="got submit: make an admin's key first"):
        keys.create(database, "ci", Role.SUBMIT, by="tests")


def test_the_last_admin_is_not_locked_out(address: str, database: Database) -> None:
    _, root = keys.create(database, "root", Role.ADMIN, by="tests")
    _, other = keys.create(database, "other", Role.ADMIN, by="tests")
    keys.create(database, "reader", Role.READ, by="tests")
    with calling(address, root) as admin:
        for name in ("other", "reader"):
            assert admin.post(f"/v1/keys/{name}/revoke").status_code == 200
        refused = admin.post("/v1/keys/root/revoke")
        assert (refused.status_code, refused.json()["error"]) == (409, "last_admin")
        assert "rotate it, make another admin's key first" in refused.json()["message"]
        assert admin.post("/v1/keys/other/revoke").headers["X-Changed"] == "no"
        assert admin.get("/v1/whoami").json()["name"] == "root"
    with calling(address, OPERATOR) as operator:  # who can make another one
        assert operator.post("/v1/keys/root/revoke").json()["has_ended"] is True
    assert whoami(address, other)[0] == 401


def test_no_key_is_called_as_the_audit_calls_who_has_none(address: str, database: Database) -> None:
    with calling(address, OPERATOR) as client:
        for name in ("PERNODEDROP_API_KEY", "DATABASE_URL"):
            refused = client.post("/v1/keys", json={"name": name, "role": "admin"})
            assert (refused.status_code, "choose another name" in refused.json()["message"]) == (422, True)
        assert client.post("/v1/keys", json={"name": "reader", "role": "read"}).status_code == 201
    assert [one.name for one in keys.listing(database)] == ["reader"]


def test_the_first_key_closes_a_server_without_one(database_url: str, database: Database) -> None:
    with served(create_app(settings_for(database_url))) as address, httpx.Client(base_url=address) as client:
        assert client.get("/v1/whoami").json() == {"name": "this machine", "role": "admin", "task_modules": None}
        made = client.post("/v1/keys", json={"name": "first", "role": "admin"}).json()
        assert client.get("/v1/studies").status_code == 401
        assert client.get("/v1/health").status_code == 200
        assert whoami(address, made["key"]) == (200, "admin")
        keys.revoke(database, "first")
        assert client.get("/v1/studies").status_code == 401  # no door opens by a revocation


def test_beyond_loopback_a_key_of_the_database_is_enough(database_url: str, database: Database) -> None:
    with pytest.raises(ValueError, match="the database has no key, or does not answer"):
        create_app(settings_for(database_url, host="0.0.0.0"))
    keys.create(database, "alice", Role.READ, by="tests", has_admin=True)
    with served(create_app(settings_for(database_url, host="0.0.0.0"))) as address:
        assert httpx.get(f"{address}/v1/presets", headers={"Host": "example.org"}).status_code == 401


def test_while_the_database_is_away_nobody_is_called_wrong() -> None:
    with served(create_app(settings_for(NO_DATABASE, api_key=OPERATOR))) as address:
        with calling(address, OPERATOR) as client:
            assert client.get("/v1/studies").status_code == 503
            assert client.get("/v1/presets").status_code == 200
        for _ in range(3):
            assert whoami(address, f"pnd_{'A' * 43}") == (503, "database_unreachable")
        with calling(address, OPERATOR) as client:
            assert client.get("/v1/presets").status_code == 200  # none of these was a guess


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "a b", "role": "read"}, "body.name"),
        ({"name": "<b>", "role": "read"}, "body.name"),
        ({"name": "alice", "role": "root"}, "body.role"),
        ({"name": "alice", "role": "read", "lasts_s": 0}, "body.lasts_s"),
        ({"name": "alice", "role": "submit", "task_modules": ["my-lab"]}, "body.task_modules"),
    ],
)
def test_what_a_key_cannot_be_is_refused(address: str, body: dict[str, object], said: str) -> None:
    with calling(address, OPERATOR) as client:
        answer = client.post("/v1/keys", json=body)
        assert answer.status_code == 422
        assert said in answer.json()["message"]
