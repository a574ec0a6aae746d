"""No page of another site can order anything: every POST takes the token of the caller's session."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from selenium.webdriver.common.by import By
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from service.dashboard import create_app
from service.dashboard.access.session import COOKIE
from service.storage.database.database import Database
from service.storage.records import StudyRecord
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.serving import served
from tests.browser.chromium import CHROMIUM, DRIVER, chromium
from tests.browser.conftest import KEY
from tests.browser.forms import value_of

TYPED = {"typed": "waiting-1", "trials": "5", "text": "name: x", "tags": "x", "note": "x", "priority": "9"}
ORDERS = ("pause", "stop", "extend", "confirm", "note", "prioritize", "share", "delete", "retry")
ACCESS = ("/access/orders/create", "/access/keys/k/orders/rotate", "/access/keys/k/orders/revoke")
PATHS = [*(f"/studies/waiting-1/orders/{order}" for order in ORDERS), *ACCESS, "/submit", "/submit/check"]


@contextmanager
def entered(address: str) -> Iterator[httpx.Client]:
    """Somebody who has logged in; the cookie is sent over plain HTTP too."""
    with httpx.Client(base_url=address, timeout=60) as client:
        came_in = client.post("/login", data={"key": KEY})
        client.cookies.clear()
        client.cookies.set(COOKIE, came_in.headers["Set-Cookie"].partition("=")[2].partition(";")[0])
        yield client


def test_every_post_takes_a_token(database_url: str, waiting: StudyRecord, database: Database) -> None:
    app = create_app(settings_for(database_url, api_key=KEY))
    posts = [route for route in app.routes if isinstance(route, Route) and "POST" in (route.methods or ())]
    names = {"name": "waiting-1", "number": 0, "worker": "w", "order": "pause", "key": "k", "share": 1}
    with served(app) as address, entered(address) as client:
        paths = {
            re.sub(r"{(\w+):int}", r"{\1}", route.path).format_map(names) for route in posts if route.path != "/login"
        }
        assert {"/logout", "/submit", "/studies/waiting-1/orders/pause"} <= paths
        for path in paths:
            order = path.replace("trials/0/orders/pause", "trials/0/orders/cancel")
            order = order.replace("confirmation/0/orders/pause", "confirmation/0/orders/cancel")
            order = order.replace("workers/w/orders/pause", "workers/w/orders/drain")
            order = order.replace("access/orders/pause", "access/orders/create")
            order = order.replace("keys/k/orders/pause", "keys/k/orders/revoke")
            order = order.replace("links/1/orders/pause", "links/1/orders/revoke")
            for token in ({}, {"token": ""}, {"token": "0" * 64}, {"token": "ü"}):
                refused = client.post(order, data={**TYPED, **token})
                assert refused.status_code == 403, order
    assert studies.get(database, "waiting-1") == waiting


def test_a_token_is_of_its_session(guarded: str, waiting: StudyRecord, database: Database) -> None:
    with entered(guarded) as mine, entered(guarded) as another:
        token = value_of("token", mine.get("/submit").text)
        assert token != value_of("token", another.get("/submit").text)
        assert token == value_of("token", mine.get("/studies/waiting-1").text)
        assert mine.cookies[COOKIE] not in token
        path = "/studies/waiting-1/orders/pause"
        assert another.post(path, data={"token": token}).status_code == 403
        assert mine.post("/submit/check", data={"text": ""}, headers={"X-Form-Token": token}).status_code == 200
        assert mine.post("/logout", data={"token": token}).status_code == 303
        mine.cookies.clear()
        assert mine.post(path, data={"token": token}).status_code == 401
        assert another.post(path, data={"token": value_of("token", another.get("/submit").text)}).status_code == 303
    assert studies.get(database, "waiting-1").state == "paused"


def test_without_a_key_a_cookie_of_another_port_makes_no_token(visitor: httpx.Client, waiting: StudyRecord) -> None:
    token = value_of("token", visitor.get("/submit").text)
    visitor.cookies.set(COOKIE, "chosen")  # servers of one host share cookies
    assert value_of("token", visitor.get("/submit").text) == token


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://studies.example"}, 303),  # the proxy has changed Host
        ({"Origin": "https://studies.example"}, 303),  # PERNODEDROP_DASHBOARD_URL
        ({"Origin": "{address}"}, 303),
        ({}, 303),
    ],
)
def test_pages_of_other_sites_are_refused_with_the_token_too(
    database_url: str, waiting: StudyRecord, database: Database, headers: dict[str, str], status: int
) -> None:
    app = create_app(settings_for(database_url, api_key=KEY, dashboard_url="https://studies.example/tuning"))
    with served(app) as address, entered(address) as client:
        token = value_of("token", client.get("/submit").text)
        sent = {name: value.format(address=address) for name, value in headers.items()}
        answer = client.post("/studies/waiting-1/orders/pause", data={"token": token}, headers=sent)
    assert answer.status_code == status
    assert (studies.get(database, "waiting-1").state == "paused") is (status == 303)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("way_in", ["guarded", "unguarded"])
def test_a_hostile_page_orders_nothing(
    way_in: str, request: pytest.FixtureRequest, waiting: StudyRecord, database: Database, tmp_path: Path
) -> None:
    """A page of another port has the browser send the cookie: ports are no sites."""
    address: str = request.getfixturevalue(way_in)
    with served(_hostile(address)) as evil, chromium(tmp_path / "profile") as browser:
        browser.get(f"{address}/studies")
        if way_in == "guarded":
            browser.find_element(By.ID, "key").send_keys(KEY)
            browser.find_element(By.CSS_SELECTOR, "form button").click()
        assert "waiting-1" in browser.find_element(By.TAG_NAME, "body").text
        for path in PATHS:
            browser.get(f"{evil}/form?to={path}")
            body = browser.find_element(By.TAG_NAME, "body").text
            assert "foreign_request" in body, path
            assert browser.current_url == address + path
        browser.get(f"{evil}/fetch")
        told = browser.execute_async_script("const done = arguments[0]; attack().then(done)")
        assert told == ["refused"] * (2 * len(PATHS)) + ["no token"]
        browser.get(f"{address}/studies/waiting-1")  # the session is alive all the while
        assert "waiting-1" in browser.find_element(By.TAG_NAME, "h1").text
    assert studies.get(database, "waiting-1") == waiting
    assert studies.count(database) == 1


def _hostile(address: str) -> Starlette:
    inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in TYPED.items())

    def form(request: Request) -> Response:
        action = address + request.query_params["to"]
        script = "<script>document.forms[0].submit()</script>"
        return HTMLResponse(f'<form method="post" action="{action}">{inputs}</form>{script}')

    def fetch(_: Request) -> Response:
        return HTMLResponse(f"""<script>
            const all = {PATHS!r}, body = new URLSearchParams({TYPED!r});
            async function attack() {{
                const told = [];
                for (const path of all) for (const mode of ["cors", "no-cors"]) {{
                    try {{
                        const answer = await fetch("{address}" + path, {{method: "POST", credentials: "include",
                            mode, body}});
                        told.push(answer.type === "opaque" ? "refused" : `read ${{answer.status}}`);
                    }} catch (error) {{ told.push("refused"); }}
                }}
                try {{
                    const page = await fetch("{address}/submit", {{credentials: "include"}});
                    told.push(await page.text());
                }} catch (error) {{ told.push("no token"); }}
                return told;
            }}
        </script>""")

    return Starlette(routes=[Route("/form", form), Route("/fetch", fetch)])
