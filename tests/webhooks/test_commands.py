"""Webhooks by command: what each order prints, as lines and as JSON."""

import json

import httpx
import pytest

from service.cli.entry import main
from service.storage.database.database import Database
from tests.webhooks.conftest import last, until
from tests.webhooks.receiving import Receiver, status
from tests.webhooks.test_trouble import finish_a_study


def test_every_order_says_what_it_has_changed(
    api: httpx.Client, db: Database, here: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", str(api.base_url))

    def said(*arguments: str) -> str:
        assert main(["webhooks", *arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    made = json.loads(said("add", here.url, "--json"))
    assert made["id"] == 1
    assert made["secret"]
    assert "was told, and answered with status" in said("test", "1")
    assert said("retry", "1") == "no deliveries wait again; nothing was changed: it was so already\n"
    assert json.loads(said("retry", "1", "--json")) == {"retried": 0, "changed": False}
    here.answer = status(410)
    finish_a_study(api, db)
    until(lambda: last(api)["state"] == "dead")
    here.answer = status(204)
    assert json.loads(said("retry", "1", "--json")) == {"retried": 1, "changed": True}
    sent = json.loads(said("test", "1", "--json"))
    assert (sent["state"], sent["changed"]) == ("delivered", True)
    assert json.loads(said("remove", "1", "--json")) == {"removed": 1, "changed": True}
    assert main(["webhooks", "remove", "1", "--json"]) == 1
