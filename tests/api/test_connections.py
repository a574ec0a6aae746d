"""Clients that keep a server waiting, over real sockets: silent, slow, deaf, or too many."""

import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from service.api.app import create_app
from service.dashboard import create_app as create_dashboard
from service.web import bodies, connections
from tests.api.configuring import NO_DATABASE, settings_for
from tests.api.serving import served

KEY = "a key of more than sixteen characters"
POST = b"POST /v1/studies HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 0.3)
    monkeypatch.setattr(connections, "READING_S", 0.3)
    monkeypatch.setattr(connections, "WATCH_S", 0.05)
    monkeypatch.setattr(bodies, "LONGEST_S", 0.3)


@pytest.fixture(params=[create_app, create_dashboard], ids=["controller", "dashboard"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with served(request.param(settings_for(NO_DATABASE, api_key=KEY))) as address:
        yield address


def connected(address: str) -> socket.socket:
    opened = socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), timeout=20)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def drip(opened: socket.socket, text: bytes) -> bytes:
    """Send the text again and again, a byte at a time, until the server closes; return what it said."""
    said = b""
    opened.settimeout(0.02)
    for at in range(10_000):
        try:
            opened.sendall(text[at % len(text) :][:1])
            received = opened.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not received:
            return said
        said += received
    raise AssertionError("the server takes whatever comes")


def test_a_silent_connection_is_closed(server: str) -> None:
    with connected(server) as silent:
        assert silent.recv(1) == b""


def test_headers_that_arrive_a_byte_at_a_time_are_cut_off(server: str) -> None:
    with connected(server) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        assert drip(slow, b"x") == b""


def test_a_body_that_follows_its_answer_slowly_is_cut_off(server: str) -> None:
    with connected(server) as slow:  # refused for want of a key, before the body
        slow.sendall(POST.replace(b"100", b"1000000") + b"\r\n")
        assert drip(slow, b"x").startswith((b"HTTP/1.1 401", b"HTTP/1.1 303"))


def test_a_body_that_stalls_is_told_and_closed() -> None:
    with served(create_app(settings_for(NO_DATABASE, api_key=KEY))) as address, connected(address) as stalled:
        stalled.sendall(POST + f"X-API-Key: {KEY}\r\n\r\n".encode() + b'{"name": ')
        said = b"".join(iter(lambda: stalled.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 408")
    assert b"the body must arrive within 0.3 s" in said


def test_a_form_that_stalls_is_told_and_closed() -> None:
    with served(create_dashboard(settings_for(NO_DATABASE, api_key=KEY))) as address, connected(address) as stalled:
        stalled.sendall(POST.replace(b"/v1/studies", b"/login") + b"\r\nkey=")
        said = b"".join(iter(lambda: stalled.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 408")


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    size = 64 * 1024 * 1024  # more than a socket's buffers hold

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
            await send({"type": "http.response.body", "body": bytes(size)})

    with served(large) as address, connected(address) as deaf:
        deaf.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.6)
        received = sum(map(len, iter(lambda: deaf.recv(1 << 20), b"")))
    assert received < size, "everything was kept for a client that read nothing"


def test_a_new_connection_takes_the_place_of_the_one_that_is_silent_longest(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 60.0)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)
    with ExitStack() as stack:
        silent = [stack.enter_context(connected(server)) for _ in range(40)]
        page = httpx.get(f"{server}/login" if "1" in server else server, headers={"Accept": "text/html"})
        assert page.status_code in {200, 404}
        assert silent[0].recv(1) == b""
        silent[-1].settimeout(0.05)
        with pytest.raises(TimeoutError):
            silent[-1].recv(1)


def test_a_new_connection_takes_the_place_of_one_that_does_not_read_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "READING_S", 60.0)
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)

    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(64 if scope["path"] == "/large" else 0):  # MiB: more than a socket's buffers hold
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})
        await send({"type": "http.response.body", "body": b"read"})

    with served(streams) as address, ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(connected(address)).sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.0)
        assert httpx.get(address, trust_env=False).text == "read"


def test_where_every_connection_has_a_request_at_work_a_new_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 16)

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        while scope["type"] == "http" and (await receive())["type"] != "http.disconnect":
            pass

    with served(endless) as address, ExitStack() as stack:
        for _ in range(16):
            stack.enter_context(connected(address)).sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.2)
        with connected(address) as refused:
            said = b"".join(iter(lambda: refused.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: 5\r\n" in said
    assert b'"busy"' in said


def test_a_server_may_open_as_many_files_as_the_system_lets_it() -> None:
    program = (
        "import resource as r; from service.web.connections import *; r.setrlimit(r.RLIMIT_NOFILE, (100, 300)); "
        "print(most_connections(), raise_file_limit(), r.getrlimit(r.RLIMIT_NOFILE), most_connections())"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == f"16 300 (300, 300) {300 - connections.SPARE_FILES}\n"


def test_the_bound_on_connections_leaves_room_for_other_files() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections.most_connections() < soft
