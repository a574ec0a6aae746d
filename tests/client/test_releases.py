"""A client and a controller of different releases: one line names both, and what to do."""

from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from pernodedrop import client as public
from pernodedrop.client.errors import Refused
from pernodedrop.installation import RELEASE, installed_version
from service.api import app as controller
from service.client import Client
from tests.api.configuring import settings_for
from tests.api.serving import served

OTHER = "0.0.9"


def said_by(kind: Any, app: ASGIApp, call: str, *given: Any) -> str:
    with served(app) as url, kind(url) as client, pytest.raises(Refused) as caught:
        getattr(client, call)(*given)
    said = str(caught.value)
    assert "\n" not in said
    return said.replace(url, "URL")


@pytest.mark.parametrize(("kind", "call"), [(Client, "workers"), (public.Client, "studies")])
def test_an_answer_of_another_release_names_both(kind: Any, call: str) -> None:
    said = said_by(kind, JSONResponse({"later": []}, headers={RELEASE: OTHER}), call)
    assert said == (
        f"the controller at URL is of release {OTHER}, this client of {installed_version()}: install the same release "
        "on both sides"
    )


def test_a_report_of_a_controller_that_does_not_say_its_release() -> None:
    said = said_by(Client, JSONResponse({}, headers={"X-Request-ID": "1"}), "report", "digits-1")
    assert said.endswith(f"or bring the controller to this client's release, {installed_version()}")


def test_what_the_other_side_does_not_know(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(controller.HEADERS, RELEASE, OTHER)
    said = said_by(Client, controller.create_app(settings_for(database_url)), "export", "digits-1", "later.csv")
    assert said.startswith("path.table must be ")
    assert f"is of release {OTHER}, this client of {installed_version()}" in said


def test_the_same_release_says_nothing_of_it(database_url: str) -> None:
    said = said_by(Client, controller.create_app(settings_for(database_url)), "export", "digits-1", "later.csv")
    assert "release" not in said
