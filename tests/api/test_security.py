"""Calls need the key, foreign web pages are refused, and a server without a key listens on loopback only."""

from collections.abc import Iterator

import httpx
import pytest

from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.dashboard.assets import asset
from service.web.keys import SHORTEST
from service.web.security import url_host
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.described import description
from tests.api.fleet import definition_data
from tests.api.serving import served

KEY = "correct-horse-battery-stäple"


@pytest.fixture
def guarded(database_url: str) -> Iterator[httpx.Client]:
    """A client without a key, of a controller that requires one."""
    app = create_app(settings_for(database_url, api_key=KEY))
    with served(app) as address, httpx.Client(base_url=address) as client:
        yield client


@pytest.fixture
def lonely_guarded() -> Iterator[httpx.Client]:  # for each key, since a wrong one makes the next one wait
    """The same without a database, which a client without a key never reaches."""
    with (
        served(create_app(settings_for(NO_DATABASE, api_key=KEY))) as address,
        httpx.Client(base_url=address) as client,
    ):
        yield client


@pytest.mark.parametrize("given", [None, "", "wrong", KEY + "x", KEY[:-1], "ü" * 5000])
def test_every_route_but_health_asks_for_the_key(lonely_guarded: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"X-API-Key": given.encode()}
    for method, path in _guarded_routes():
        response = lonely_guarded.request(method, path, headers=headers)
        assert response.status_code == 401, (method, path)
        assert response.json()["error"] == "wrong_key"
        assert response.headers["WWW-Authenticate"]


def test_the_right_key_opens(guarded: httpx.Client) -> None:
    headers = {"X-API-Key": KEY.encode()}
    assert guarded.post("/v1/studies", json=definition_data(), headers=headers).status_code == 201
    assert guarded.get("/v1/studies", headers=headers).json()["total"] == 1


def test_a_key_in_the_wrong_place_is_no_key(lonely_guarded: httpx.Client) -> None:
    assert lonely_guarded.get("/v1/studies", params={"X-API-Key": KEY, "api_key": KEY}).status_code == 401
    assert lonely_guarded.get("/v1/studies", headers={"Cookie": "X-API-Key=secret"}).status_code == 401


def test_health_and_readiness_need_no_key(guarded: httpx.Client) -> None:
    assert guarded.get("/v1/health").json() == {"status": "ok"}
    assert guarded.get("/v1/ready").json() == {"status": "ok"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "controller.example.org", ""])
def test_an_open_address_without_a_key_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="set PERNODEDROP_API_KEY, or listen on"):
        create_app(settings_for(NO_DATABASE, host=host))
    create_app(settings_for(NO_DATABASE, host=host, api_key=KEY))


def test_beyond_loopback_a_short_key_is_refused() -> None:
    short = "k" * (SHORTEST - 1)
    for make in (create_app, create_dashboard):
        with pytest.raises(ValueError, match="at least 16 characters, got 15: set PERNODEDROP_API_KEY to") as refused:
            make(settings_for(NO_DATABASE, host="0.0.0.0", api_key=short))
        assert short not in str(refused.value)
        make(settings_for(NO_DATABASE, host="0.0.0.0", api_key=f"{short}k"))
        make(settings_for(NO_DATABASE, api_key="k"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_loopback_needs_no_key(host: str) -> None:
    create_app(settings_for(NO_DATABASE, host=host))


def test_a_missing_database_url_is_told() -> None:
    with pytest.raises(ValueError, match="DATABASE_URL is not set: write postgresql://"):
        create_app(settings_for("", database_url=None))


@pytest.mark.parametrize("host", ["evil.example.org", "evil.example.org:8000", "127.0.0.1.evil.org", "", "[::1", "a@b"])
def test_without_a_key_no_other_name_is_answered(lonely_api: httpx.Client, host: str) -> None:
    response = lonely_api.get("/v1/presets", headers={"Host": host})
    assert response.status_code == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
def test_without_a_key_the_names_of_this_machine_are_answered(lonely_api: httpx.Client, host: str) -> None:
    assert lonely_api.get("/v1/presets", headers={"Host": host}).status_code == 200


def test_without_a_key_no_foreign_page_changes_anything(api: httpx.Client) -> None:
    api.post("/v1/studies", json=definition_data())
    for origin in ("https://evil.example.org", "null", "http://127.0.0.1:1", "http://[", ""):
        response = api.post("/v1/studies/digits-1/stop", headers={"Origin": origin})
        assert response.status_code == 400, origin
        assert response.json()["error"] == "foreign_request"
    assert api.get("/v1/studies/digits-1").json()["state"] == "running"
    assert api.post("/v1/studies/digits-1/stop", headers={"Origin": str(api.base_url).rstrip("/")}).is_success


def test_a_foreign_page_may_not_read(lonely_api: httpx.Client) -> None:
    response = lonely_api.options(
        "/v1/studies", headers={"Origin": "https://evil.org", "Access-Control-Request-Method": "GET"}
    )
    assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "elsewhere"])
def test_a_foreign_page_may_neither_embed_nor_fetch_anything(lonely_api: httpx.Client, site: str) -> None:
    with served(create_dashboard(settings_for(NO_DATABASE))) as pages:
        for address in (
            "/v1/presets",
            "/v1/health",
            "/docs",
            f"{pages}/health",
            f"{pages}/{asset('look.css').address}",
        ):
            for how in ({"no-cors", "script"}, {"cors", "empty"}, {"navigate", "iframe"}):
                mode, kind = sorted(how, key=["no-cors", "cors", "navigate"].count, reverse=True)
                headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": kind}
                response = lonely_api.get(address, headers=headers)
                assert response.status_code == 400, (address, headers)
                assert response.json()["error"] == "foreign_request"


def test_links_and_our_own_pages_are_answered(lonely_api: httpx.Client) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    for headers in (link, {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Site": "none"}):
        assert lonely_api.get("/v1/presets", headers=headers).status_code == 200
    assert lonely_api.post("/v1/studies", json={}, headers=link).status_code == 400


@pytest.mark.parametrize("path", ["/v1/studies/", "/v1/health/", "/v1/studies/none/trials/", "/docs/", "//evil.org"])
def test_no_answer_repeats_the_host_it_was_asked_under(path: str) -> None:
    for make in (create_app, create_dashboard):
        with served(make(settings_for(NO_DATABASE, api_key=KEY))) as address:
            headers = {"Host": "evil.example.org", "Accept": "text/html"}
            response = httpx.get(f"{address}{path}", headers=headers, timeout=60)
        assert response.status_code in {303, 404, 422}
        assert "evil.example" not in f"{response.text} {response.headers}"


def test_every_response_forbids_guessing_framing_and_caching(lonely_api: httpx.Client) -> None:
    for path in ("/v1/health", "/v1/studies/none", "/docs"):
        headers = lonely_api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"


def test_hosts_are_read_with_brackets_and_without_ports() -> None:
    assert [url_host(a) for a in ("[::1]:80", "a:1", "A", "", "[::1")] == ["[::1]", "a", "a", "", ""]


def _guarded_routes() -> list[tuple[str, str]]:
    return [
        (method.upper(), path.replace("{name}", "digits-1").replace("{number}", "0"))
        for path, methods in description()["paths"].items()
        for method in methods
        if path not in ("/v1/health", "/v1/ready")
    ]
