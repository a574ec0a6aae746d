"""`keys`, `share` and `audit-log`: the first key takes none, and scripts read what they print."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from service.cli import main
from service.cli.exit_codes import Failure
from service.cli.lasting import lasting_s
from service.storage.access import deeds, keys
from service.storage.access.bounds import LONGEST_KEY
from service.storage.access.roles import Role
from service.storage.database.database import Database
from tests.access.conftest import OPERATOR, calling


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "PERNODEDROP_API_KEY", "PERNODEDROP_URL"):
        monkeypatch.delenv(name, raising=False)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(arguments)
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


def test_the_first_key_is_made_in_the_database_without_any_key(
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
    database: Database,
    address: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert main(["keys", "create", "alice", "--role", "submit"]) == 2
    assert "role must be admin where no open key is an admin's" in capsys.readouterr().err
    assert main(["keys", "create", "DATABASE_URL", "--role", "admin"]) == 2
    assert "choose another name" in capsys.readouterr().err
    key = said(capsys, "keys", "create", "root", "--role", "admin").strip()
    with calling(address, key) as client:
        assert client.get("/v1/whoami").json()["role"] == "admin"
    assert [(one.caller, one.deed) for one in deeds.page(database, None, 10, 0)[0]] == [("DATABASE_URL", "create key")]
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("PERNODEDROP_URL", address)
    monkeypatch.setenv("PERNODEDROP_API_KEY", key)
    made = json.loads(
        said(capsys, "keys", "create", "ci", "--role", "submit", "--until", "90d", "--task-modules", "a.b,c", "--json")
    )
    assert made["task_modules"] == ["a.b", "c"]
    assert made["created_by"] == "root"
    listed = said(capsys, "keys", "list")
    assert "a.b, c" in listed
    assert made["key"] not in listed
    rotated = said(capsys, "keys", "rotate", "ci", "--grace", "1h").strip()
    assert {
        httpx.get(f"{address}/v1/whoami", headers={"X-API-Key": one}).status_code for one in (rotated, made["key"])
    } == {200}
    for arguments in (("rotate", "ci", "--grace", "31d"), ("create", "x", "--role", "read", "--until", "3661d")):
        assert main(["keys", *arguments]) == 2
        assert f"must be at most {arguments[-1][:-2]}0d, got '{arguments[-1]}'" in capsys.readouterr().err
    assert "within 5 s" in said(capsys, "keys", "revoke", "ci")
    assert [one.has_ended for one in keys.listing(database)] == [True, False]
    assert "nothing was changed: it was so already" in said(capsys, "keys", "revoke", "ci")
    assert json.loads(said(capsys, "keys", "revoke", "ci", "--json"))["changed"] is False
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert "nothing was changed: it was so already" in said(capsys, "keys", "revoke", "ci")
    again = json.loads(said(capsys, "keys", "revoke", "ci", "--json"))
    assert (again["name"], again["changed"]) == ("ci", False)
    monkeypatch.delenv("DATABASE_URL")
    assert main(["keys", "revoke", "cii"]) == 1
    assert "did you mean ci" in capsys.readouterr().err
    assert main(["keys", "create", "a b", "--role", "read"]) == 2


def test_a_reader_cannot_make_keys(
    monkeypatch: pytest.MonkeyPatch, address: str, secrets: dict[Role, str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", address)
    monkeypatch.setenv("PERNODEDROP_API_KEY", secrets[Role.READ])
    assert main(["keys", "create", "mine", "--role", "admin"]) == 1
    assert "this takes the role admin, and reader has read" in capsys.readouterr().err


def test_a_study_is_shared_and_its_audit_read(
    monkeypatch: pytest.MonkeyPatch, address: str, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", address)
    monkeypatch.setenv("PERNODEDROP_API_KEY", OPERATOR)
    assert said(capsys, "share", study, "--for", "7d").startswith("http://127.0.0.1:8080/shared?token=pns_")
    (one,) = json.loads(said(capsys, "share", study, "--list", "--json"))["shares"]
    assert f"link {one['id']}" in said(capsys, "share", study, "--revoke", str(one["id"]))
    shown = said(capsys, "audit-log", study)
    assert "revoke share" in shown
    assert said(capsys, "audit-log") == shown
    assert said(capsys, "audit-log", study, "--deleted") == shown


def test_how_long_something_lasts() -> None:
    assert [lasting_s("--for", text, LONGEST_KEY) for text in ("7d", "1h30m", "45s")] == [604800, 5400, 45]
    in_a_day = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert 86000 < lasting_s("--until", in_a_day, LONGEST_KEY) <= 86400
    for text in ("", "7", "7 d", "0d", "2020-01-31", "tomorrow"):
        with pytest.raises(Failure, match="--for must"):
            lasting_s("--for", text, LONGEST_KEY)


def test_a_role_that_there_is_not_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "x", "--role", "wrong"]) != 0
    assert capsys.readouterr().err.startswith(
        "error: Invalid value for '--role': 'wrong' is not one of 'read', 'submit', 'admin': see"
    )
    assert main(["keys", "create", "x", "--role", "amdin"]) != 0
    assert "'read', 'submit', 'admin': did you mean \"admin\"? see" in capsys.readouterr().err
