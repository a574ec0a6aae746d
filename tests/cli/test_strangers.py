"""An answer of some other server, such as a proxy's login page, is refused, and no file is made of it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pernodedrop.proxies import controller_address
from service.cli import main
from service.settings import Settings

PAGE = b"<!doctype html><title>Please log in</title>"
ORDERS = (
    *(("studies",), ("watch", "mine"), ("submit", "quickstart"), ("workers",), ("logs", "mine", "1")),
    *(("report", "mine"), ("report", "mine", "-f", "csv"), ("report", "mine", "-f", "md", "-o", "mine.md")),
    *(("capsule", "mine"), ("weights", "mine")),
)


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    do_POST = do_GET  # noqa: N815 (the name that the server calls)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that has left."""


@pytest.fixture
def stranger() -> Iterator[str]:
    """The address of a server that answers everything with one page."""
    with _Server(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("no_environment")
@pytest.mark.parametrize("arguments", ORDERS, ids=" ".join)
def test_no_command_takes_it(
    arguments: tuple[str, ...],
    stranger: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PERNODEDROP_URL", stranger)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr()
    message = f"error: {stranger} answers, but not as this program's controller does: check PERNODEDROP_URL\n"
    assert (said.out, said.err) == ("", message)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_environment")
def test_an_address_with_the_path_of_the_calls_is_refused(
    stranger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/v1", "/v1/"):
        monkeypatch.setenv("PERNODEDROP_URL", stranger + path)
        assert main(["studies"]) == 2
        told = capsys.readouterr().err
        assert told == (
            f"error: PERNODEDROP_URL must be an address without /v1, which every call adds, got '{stranger}{path}'\n"
        )


def test_a_proxys_path_may_end_so() -> None:
    assert controller_address("url", "https://proxy/tools/v1/") == "https://proxy/tools/v1"
    settings = Settings.from_environment({"PERNODEDROP_DASHBOARD_URL": "https://proxy/v1"})
    assert settings.dashboard_url == "https://proxy/v1"
