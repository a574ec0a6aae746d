"""The door of the dashboard, as HTTP shows it."""

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest

from service.dashboard import create_app
from service.dashboard.access import session
from service.dashboard.access.login import COOKIE
from service.dashboard.assets import asset
from service.dashboard.orders.tokens import FIELD
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served
from tests.browser.conftest import KEY
from tests.browser.forms import value_of

HTML = {"Accept": "text/html"}


@pytest.fixture
def visitor() -> Iterator[httpx.Client]:
    """Somebody before a dashboard that has no database: 503 is what a visitor sees who has come in."""
    app = create_app(settings_for(NO_DATABASE, api_key=KEY))
    with served(app) as address, httpx.Client(base_url=address, headers=HTML) as client:
        yield client


def log_in(visitor: httpx.Client, key: str = KEY, **fields: str) -> httpx.Response:
    body = urlencode({"key": key, **fields})
    return visitor.post("/login", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})


def log_out(visitor: httpx.Client) -> httpx.Response:
    return visitor.post("/logout", data={FIELD: value_of(FIELD, visitor.get("/submit").text)})


@pytest.mark.parametrize(
    "path", ["/", "/studies", "/studies/digits-1", "/dashboard", "/api/studies", "/static/bundle.js", "/csv/1", "/x"]
)
def test_nothing_is_shown_before_the_login(visitor: httpx.Client, path: str) -> None:
    page = visitor.get(path)
    assert page.status_code == 303
    assert page.url.join(page.headers["Location"]).raw_path.startswith(b"/login?next=")
    program = visitor.get(path, headers={"Accept": "application/json"})
    assert program.status_code == 401
    assert program.json()["error"] == "login_required"


def test_health_and_the_login_page_need_no_login(visitor: httpx.Client) -> None:
    assert visitor.get("/health").json() == {"status": "ok"}
    assert "API key" in visitor.get("/login").text
    assert visitor.get(asset("look.css").address).status_code == 200


def test_the_right_key_gives_a_cookie_that_is_not_the_key(visitor: httpx.Client) -> None:
    response = log_in(visitor, next="/studies?offset=50")
    assert response.status_code == 303
    assert response.headers["Location"] == "./studies?offset=50"
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert KEY not in cookie
    assert visitor.get("/studies").status_code == 503


def test_behind_https_the_cookie_is_secure() -> None:
    settings = settings_for(NO_DATABASE, api_key=KEY, dashboard_url="https://studies.example.org")
    with served(create_app(settings)) as address, httpx.Client(base_url=address) as visitor:
        assert "Secure" in log_in(visitor).headers["Set-Cookie"]


@pytest.mark.parametrize("key", ["", "wrong", KEY + " ", KEY[:-1]])
def test_a_wrong_key_is_refused(visitor: httpx.Client, key: str) -> None:
    response = log_in(visitor, key)
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
    assert visitor.get("/studies").status_code == 303


def test_guessing_is_slowed(visitor: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.web.keys.monotonic", lambda: 1000.0)
    assert log_in(visitor, "wrong").status_code == 401
    refused = log_in(visitor)  # even the right key waits its turn
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("target", ["https://evil.org", "//evil.org", "/\\evil.org", "javascript:alert(1)", "/a\nb"])
def test_the_login_leads_nobody_astray(visitor: httpx.Client, target: str) -> None:
    assert log_in(visitor, next=target).headers["Location"] == "./studies"
    assert 'value="/studies"' in visitor.get("/login", params={"next": target}).text


def test_a_login_form_is_bounded(visitor: httpx.Client) -> None:
    assert log_in(visitor, "x" * 10_000).status_code == 413
    assert visitor.post("/login", content="&".join(["a=b"] * 1000)).status_code == 401


def test_the_logout_takes_the_cookie_back(visitor: httpx.Client) -> None:
    log_in(visitor)
    assert log_out(visitor).headers["Location"] == "login"
    assert COOKIE not in visitor.cookies
    assert visitor.get("/studies").status_code == 303


def test_a_copy_of_the_cookie_opens_nothing_after_the_logout(visitor: httpx.Client) -> None:
    log_in(visitor)
    copied = {"Cookie": f"{COOKIE}={visitor.cookies[COOKIE]}"}
    assert log_out(visitor).status_code == 303
    assert visitor.get("/studies", headers=copied).status_code == 303
    program = visitor.get("/api/studies", headers={**copied, "Accept": "application/json"})
    assert program.status_code == 401


@pytest.mark.parametrize("token", ["", ".", "9999999999.", "9999999999.00", "x.y", "ü.ü"])
def test_a_forged_cookie_is_worth_nothing(visitor: httpx.Client, token: str) -> None:
    response = visitor.get("/studies", headers={"Cookie": f"{COOKIE}={token}".encode()})
    assert response.status_code == 303


def test_a_session_has_an_end_and_a_logout() -> None:
    sessions, now = session.Sessions(), 1e9
    token, other = sessions.open(now, b"key"), sessions.open(now, b"another key")
    assert token != other
    assert sessions.key(token, now + session.LIFETIME_S - 1) == b"key"
    assert sessions.key(token, now + session.LIFETIME_S) is None
    assert sessions.key(f"{token}x", now) is None
    assert session.Sessions().key(token, now) is None
    sessions.close(token)
    sessions.close("none")
    assert sessions.key(token, now) is None
    assert sessions.key(other, now) == b"another key"


def test_the_oldest_of_too_many_sessions_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MOST_SESSIONS", 3)
    sessions = session.Sessions()
    tokens = [sessions.open(float(second), b"key") for second in range(4)]
    assert [sessions.key(token, 4.0) for token in tokens] == [None, b"key", b"key", b"key"]


def test_many_logins_by_one_key_end_its_own_sessions_alone() -> None:
    sessions = session.Sessions()
    other = sessions.open(0.0, b"another key")
    tokens = [sessions.open(1.0, b"key") for _ in range(session.MOST_SESSIONS + 1)]
    assert sessions.key(other, 2.0) == b"another key"
    assert sessions.key(tokens[-session.MOST_OF_A_KEY - 1], 2.0) is None
    assert sessions.key(tokens[-session.MOST_OF_A_KEY], 2.0) == b"key"


def test_an_open_address_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="set PERNODEDROP_API_KEY"):
        create_app(settings_for(NO_DATABASE, host="192.168.1.4"))
