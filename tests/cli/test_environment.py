"""What other programs leave in the environment, and what lies in the folder that a command is started in."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pernodedrop.begin import LIBRARIES, OURS, command
from pernodedrop.proxies import BadVariable, certificates, proxy_of
from service.client import Client, Refused, Unreachable
from service.web.serving import server_of
from tests.cli.conftest import KEY
from tests.foreign import CERTIFICATES, EVERYTHING, HIDING, OTHERS, PROXIES, folder_in_the_way

ROOT = Path(__file__).parents[2]
CONSOLE = str(Path(sys.executable).with_name("pernodedrop"))
NONE = f"no study yet: submit one with `{CONSOLE} submit --preset quickstart`\n"
ELSEWHERE = "http://controller.example"


def said(
    *arguments: str, folder: Path, path: Path | None = None, program: str = CONSOLE, **variables: str
) -> tuple[int, str]:
    """The exit code of a command that is started in `folder`, and what it says."""
    unset = {"DATABASE_URL", *EVERYTHING}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | variables
    apart = [one for one in os.environ["PATH"].split(os.pathsep) if Path(one) != Path(CONSOLE).parent]
    environment["PATH"] = os.pathsep.join(apart)  # else a command is called by its short name, as in an active .venv
    environment["PYTHONPATH"] = os.pathsep.join(str(one) for one in (path, ROOT) if one is not None)
    done = subprocess.run(
        [program, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES | CERTIFICATES:
        monkeypatch.delenv(name, raising=False)


def test_no_variable_and_no_file_of_others_reaches_a_command(controller: str, tmp_path: Path) -> None:
    way = folder_in_the_way(tmp_path / "way")
    here = {"PERNODEDROP_URL": controller, "PERNODEDROP_API_KEY": KEY}
    assert said("studies", folder=way, path=way, **EVERYTHING, **here) == (0, NONE)


@pytest.mark.wide
@pytest.mark.parametrize("name", [*PROXIES, *CERTIFICATES, *OTHERS])
def test_none_alone_does(name: str, controller: str, tmp_path: Path) -> None:
    here = {"PERNODEDROP_URL": controller, "PERNODEDROP_API_KEY": KEY}
    assert said("studies", folder=tmp_path, **{name: EVERYTHING[name]}, **here) == (0, NONE)


@pytest.mark.wide
def test_a_study_is_run_whatever_the_environment_sets(home: Path) -> None:
    way = folder_in_the_way(home / "way")
    small = ("--set", "budget.trials=2", "--set", "task.epochs=1", "--set", "confirmation=null", "--workers", "1")
    kept = EVERYTHING | {"PERNODEDROP_HOME": str(home / "home")}
    code, text = said("run", *small, folder=way, path=way, **kept)
    assert code == 0, text
    for name in HIDING:
        assert f"note: {way}/{name}.py is never imported, because " in text


@pytest.mark.wide
def test_every_name_of_pythons_may_be_a_tasks(tmp_path: Path) -> None:
    before = "import re, typing, importlib.util, sys; print(*sys.modules)"  # what Python and pip's script import first
    imported = subprocess.run([sys.executable, "-P", "-c", before], capture_output=True, text=True, check=True).stdout
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")} - set(imported.split())
    names -= {"nt", "winreg", "msvcrt", "encodings"}  # which these look for
    way = folder_in_the_way(tmp_path / "way", *sorted(names), *sorted(LIBRARIES - {"ruamel"}))
    for program in ("service.cli", "workers", "workers.reproduction"):
        code, text = said(*command(program, "--help")[1:], program=sys.executable, folder=way, path=way)
        assert code == 0, text
        assert "was imported" not in text


def test_the_libraries_are_those_of_the_installation() -> None:
    listed = (ROOT / "pyproject.toml").read_text().partition("dev = [")[0]
    imported = {"scikit_learn": "sklearn", "psycopg2_binary": "psycopg2", "pyyaml": "yaml"}
    lines = [line.strip().strip('",[]') for line in listed.splitlines() if line.strip().startswith('"')]
    lines += [part.strip(' "') for line in listed.splitlines() if line.startswith("export") for part in
              line.partition("[")[2].strip("]").split(",") if ">=" in part]  # fmt: skip
    names = {line.partition(">=")[0].replace("-", "_") for line in lines if ">=" in line}
    assert names, "no dependency was read"
    missing = {imported.get(name, name).partition(".")[0] for name in names} - LIBRARIES - {"setuptools"}
    assert not missing, "pernodedrop/begin.py does not list them"
    assert set(OURS) == {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost", "http://[::1]:8000", "http://0.0.0.0:1"])
def test_this_machine_is_reached_without_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (PROXIES | CERTIFICATES).items():
        monkeypatch.setenv(name, value)
    assert proxy_of(url) is None
    Client(url).close()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        *((name, PROXIES[name], "no address of a proxy") for name in ("HTTP_PROXY", "http_proxy", "all_proxy")),
        ("HTTP_PROXY", "http://user:secret@host:0", "no address of a proxy"),
        ("http_proxy", "http://host:port", "no address of a proxy"),
        ("ALL_PROXY", PROXIES["ALL_PROXY"], "names a SOCKS proxy, which needs the package socksio"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    name: str, value: str, says: str, no_proxies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadVariable, match=f"^{name} .*{says}") as refused:
        Client(ELSEWHERE)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    monkeypatch.setenv("NO_PROXY", "controller.example")
    Client(ELSEWHERE).close()


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_cannot_be_read_are_named(
    name: str, no_proxies: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(BadVariable, match=rf"{name}=\S+ cannot be used \(.*\): name a file of certificates"):
        certificates("https://controller.example")
    assert certificates(ELSEWHERE) is False  # no TLS, no certificates
    assert certificates("https://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("host", "listed", "excepted"),
    [
        ("controller.example", "other, .example", True),
        ("controller.example", "ample", False),
        ("controller.example", "controller.example:80", True),
        ("controller.example", "controller.example:81", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "::1,[fe80::1],fd00::/8,nonsense:://", False),
        ("[fd00::1]", "fd00::/8", True),
        ("controller.example", "*", True),
    ],
)
def test_no_proxy_lists_names_addresses_and_networks(
    host: str, listed: str, excepted: bool, no_proxies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", listed)
    assert proxy_of(f"http://{host}") == (None if excepted else "http://proxy:3128")


def test_another_machine_is_reached_by_the_proxy_and_errors_name_it(
    no_proxies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(502)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.server_port}")
        with Client(ELSEWHERE) as client, pytest.raises(Refused, match=r"check PERNODEDROP_URL and HTTP_PROXY$"):
            client.study("one")
        proxy.shutdown()
    assert asked == [f"{ELSEWHERE}/v1/studies/one"]
    with Client(ELSEWHERE) as client, pytest.raises(Unreachable, match="; the environment sets HTTP_PROXY"):
        client.study("one")


def test_a_variable_of_uvicorns_does_not_reach_our_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "abc")
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    config = server_of(lambda: None).config  # type: ignore[arg-type, misc]
    assert config.forwarded_allow_ips == []
    assert not config.proxy_headers
