"""Behind a proxy that serves us under a path: nothing that we say leads out of it."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from search_spaces import parse_definition
from service.api.app import create_app
from service.client import Client, Refused
from service.dashboard import create_app as create_dashboard
from service.dashboard.assets import asset
from service.settings import Settings
from service.storage.database.database import Database
from service.storage.studies import studies
from tests.api.configuring import settings_for
from tests.api.fleet import definition_data, work
from tests.api.proxying import proxied
from tests.api.serving import served

KEY = "a key for tests, ümlaut included"
PREFIX = "/tools/studies"  # whose end is also one of our own paths


@pytest.fixture
def controller(database_url: str) -> Iterator[str]:
    """The controller's address at the proxy, of which it does not know."""
    with served(create_app(settings_for(database_url, api_key=KEY))) as address, proxied(address, PREFIX) as url:
        yield url


def test_the_client_and_locations_stay_under_the_path(controller: str, database: Database) -> None:
    with Client(controller, KEY) as client:
        client.submit(definition_data(trials=2))
        work(database, studies.get(database, "digits-1"))
        assert client.study("digits-1").state == "complete"
        assert client.trial("digits-1", 0).number == 0
        assert client.report("digits-1").startswith("<!doctype html>")
        with pytest.raises(Refused, match="no study is named 'digits-2'"):
            client.study("digits-2")
    with httpx.Client(headers={b"X-API-Key": KEY.encode()}, trust_env=False) as caller:
        for path, body in (
            ("/v1/studies", definition_data("digits-3")),
            ("/v1/studies/digits-1/confirmation", {"repeats": 2}),
        ):
            answer = caller.post(controller + path, json=body)
            assert answer.is_success, answer.text
            found = caller.get(urljoin(str(answer.url), answer.headers["Location"]))
            assert found.is_success, found.url
            assert str(found.url).startswith(controller)


def test_the_reference_describes_the_routes_where_they_are(controller: str) -> None:
    with httpx.Client(headers={b"X-API-Key": KEY.encode()}, trust_env=False) as caller:
        page = caller.get(f"{controller}/docs")
        [link] = re.findall(r'(?:src|href)="([^"]*)"', page.text)
        described = caller.get(urljoin(str(page.url), link))
        [server] = described.json()["servers"]
        base = urljoin(str(described.url), server["url"]).rstrip("/")
        assert base == controller
        assert caller.get(f"{base}/v1/studies").json()["total"] == 0
        assert "/v1/studies" in described.json()["paths"]


def test_the_addresses_that_the_operator_names_are_shown(database_url: str) -> None:
    settings = settings_for(database_url, url="https://host/tools/api", dashboard_url="https://host/tools/pages")
    with served(create_app(settings)) as address:
        study = httpx.post(f"{address}/v1/studies", json=definition_data()).json()
        assert study["links"] == {
            "self": "/tools/api/v1/studies/digits-1",
            "report": "/tools/api/v1/studies/digits-1/report",
            "dashboard": "https://host/tools/pages/studies/digits-1",
            "weights": "/tools/api/v1/studies/digits-1/winner/weights",
        }
        assert "curl https://host/tools/api/v1/studies" in httpx.get(f"{address}/docs").text


@pytest.mark.parametrize("key", [pytest.param(None, marks=pytest.mark.wide), KEY])
def test_no_page_of_the_dashboard_leads_out(database_url: str, database: Database, key: str | None) -> None:
    studies.create(database, parse_definition(definition_data(trials=2)))
    work(database, studies.get(database, "digits-1"))
    app = create_dashboard(settings_for(database_url, api_key=key))
    html = {"Accept": "text/html"}
    with (
        served(app) as address,
        proxied(address, PREFIX) as url,
        httpx.Client(headers=html, trust_env=False, follow_redirects=True) as visitor,
    ):
        if key is not None:
            form = visitor.get(f"{url}/studies?offset=0")
            assert str(form.url).startswith(f"{url}/login?next=")
            [action] = re.findall(r'action="([^"]*)"', form.text)
            listed = visitor.post(urljoin(str(form.url), action), data={"key": key, "next": "/studies?offset=0"})
            assert str(listed.url) == f"{url}/studies?offset=0"
            assert {cookie.path for cookie in visitor.cookies.jar} == {PREFIX}
        seen: set[str] = set()
        waiting = [f"{url}/", f"{url}/studies/nobody", f"{url}/a/page/of/nobody"]
        while waiting:
            page = visitor.get(waiting.pop())
            assert str(page.url).startswith(f"{url}/"), page.url
            assert "another program" not in page.text
            if page.headers["content-type"].startswith("text/html"):
                links = links_of(page)
                waiting += links - seen
                seen |= links
        paths = {urlsplit(link).path.removeprefix(PREFIX) for link in seen}
        assert {"/studies", "/studies/digits-1", f"/{asset('look.css').address}", "/dashboard"} <= paths


def test_a_proxy_may_pass_its_path_on(database_url: str, database: Database) -> None:
    studies.create(database, parse_definition(definition_data(trials=2)))
    settings = settings_for(database_url, root_path=PREFIX)
    with (
        served(create_app(settings)) as api,
        served(create_dashboard(settings)) as pages,
        proxied(api, PREFIX, strips=False) as outer_api,
        proxied(pages, PREFIX, strips=False) as outer_pages,
        httpx.Client(headers={"Accept": "text/html"}, trust_env=False, follow_redirects=True) as visitor,
    ):
        with Client(outer_api, None) as client:
            assert client.study("digits-1").name == "digits-1"
        assert visitor.get(f"{api}/v1/health").is_success  # directly, without the path
        home = visitor.get(outer_pages)
        assert (home.status_code, str(home.url)) == (200, f"{outer_pages}/studies")
        for link in links_of(home):
            page = visitor.get(link)
            assert page.is_success, link
            assert str(page.url).startswith(f"{outer_pages}/")
            assert "another program" not in page.text
        assert f"{outer_pages}/studies/digits-1" in links_of(home)
        assert visitor.get(f"{outer_pages}/tools").status_code == 404


@pytest.mark.parametrize("wrong", ["tools", "/a//b", "/..", "/a b", "https://host/tools", "/a?b"])
def test_a_root_path_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="PERNODEDROP_ROOT_PATH must be a path such as /tools"):
        Settings.from_environment({"PERNODEDROP_ROOT_PATH": wrong})


def links_of(page: httpx.Response) -> set[str]:
    """Where the page leads on this host, without forms and without what is inside of it."""
    base = "".join(re.findall(r'<base href="([^"]*)"', page.text)[:1])
    found = re.findall(r'<(?:a|link|script)\b[^>]*(?:href|src)="([^"#][^"]*)"', page.text)
    links = {urljoin(urljoin(str(page.url), base), link) for link in found}
    return {link for link in links if urlsplit(link).netloc == page.url.netloc.decode()}  # not the literature
