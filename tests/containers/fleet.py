"""The compose file at work: up, scale, restart, ask over the published ports, down."""

import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from .base_images import POSTGRES_IMAGE, PYTHON_IMAGE, REPOSITORY
from .commands import CommandFailed
from .engine import Engine

COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
GPU_OVERLAY = REPOSITORY / "docker-compose.gpu.yml"


class Fleet:
    """One compose project, with settings as a user writes them into .env."""

    def __init__(self, engine: Engine, project: str, folder: Path) -> None:
        self.engine, self.project = engine, project
        self.key = secrets.token_urlsafe(32)
        self.port, self.dashboard_port = _free_ports(2)
        self._settings = {
            "PERNODEDROP_API_KEY": self.key,
            "POSTGRES_PASSWORD": f"p@ss:/w#rd%{secrets.token_urlsafe(16)}",  # none of it may need escaping
            "PERNODEDROP_PORT": str(self.port),
            "PERNODEDROP_DASHBOARD_PORT": str(self.dashboard_port),
            "PERNODEDROP_TAG": project,
        }
        if engine.stands_in:
            self._settings |= {"PYTHON_IMAGE": PYTHON_IMAGE, "POSTGRES_IMAGE": POSTGRES_IMAGE}
        self._env_file = folder / "fleet.env"

    def compose(self, *arguments: str, files: tuple[Path, ...] = (COMPOSE_FILE,), **changed: str) -> str:
        """Run `docker compose` on the repository's files with our settings, some of them `changed`."""
        settings = self._settings | changed
        self._env_file.write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
        chosen = [part for file in files for part in ("--file", file)]
        return self.engine.docker(
            "compose", "--project-name", self.project, "--env-file", self._env_file, *chosen, *arguments
        )

    def up(self, workers: int) -> None:
        """Bring everything up with this many workers and wait until all of it is healthy."""
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", "180", "--scale", f"worker={workers}")
        except CommandFailed as error:
            raise AssertionError(f"{error}\n{self.last_words()}") from error

    def down(self) -> None:
        """Take containers, networks, volumes and the images away."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "30")
        for image in (f"pernodedrop:{self.project}", f"pernodedrop-worker:{self.project}"):
            if self.engine.has_image(image):
                self.engine.docker("image", "rm", image)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine knows of a service's containers, ended ones included."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        return json.loads(self.engine.docker("inspect", *ids)) if ids else []

    def ask(self, path: str, method: str = "GET", key: str | None = None, body: object = None) -> httpx.Response:
        """Send a request to the controller's published port."""
        headers = {} if key is None else {"X-API-Key": key}
        with self.engine.reachable():
            return httpx.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, json=body, timeout=30)

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A client of the dashboard's published port that behaves as a browser: cookies, redirects, pages."""
        address = f"http://127.0.0.1:{self.dashboard_port}"
        with (
            self.engine.reachable(),
            httpx.Client(base_url=address, headers={"Accept": "text/html"}, follow_redirects=True) as client,
        ):
            yield client

    def until(self, path: str, met: Callable[[Any], bool], seconds: float) -> Any:
        """Ask again until the answer is a 200 that has `met` the condition; a 503 is patience, not failure."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.ask(path, key=self.key)
            assert answer.status_code in {200, 503}, answer.text
            if answer.status_code == 200 and met(answer.json()):
                return answer.json()
            if time.monotonic() > deadline:
                raise AssertionError(f"{path} after {seconds:g} s still: {answer.text[:2000]}\n{self.last_words()}")
            time.sleep(0.5)

    def last_words(self) -> str:
        """The end of every service's log."""
        return self.compose("logs", "--no-color", "--tail", "20")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
