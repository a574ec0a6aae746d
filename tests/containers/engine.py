"""A Docker engine to test with: the one that runs here, or a private one in namespaces of its own."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .commands import CommandFailed, OutOfReach, run
from .debian import PLUGINS_FOLDER, programs_environment

START_SECONDS = 30
STOP_SECONDS = 60


@dataclass(frozen=True)
class Engine:
    """How to reach an engine, and the network its published ports are on."""

    environment: dict[str, str]
    network: Path | None = None  # a network namespace; None is this machine's own

    @property
    def stands_in(self) -> bool:
        """Whether this is the private engine, whose base images are stand-ins."""
        return self.network is not None

    def docker(self, *arguments: str | Path, standard_input: IO[bytes] | None = None) -> str:
        """Run a docker command and return its output.

        Raises:
            CommandFailed: it failed; the message has what it said.
        """
        return run(["docker", *arguments], self.environment, standard_input=standard_input)

    def has_image(self, name: str) -> bool:
        """Whether the engine holds an image of this name already."""
        return bool(self.docker("image", "ls", "--quiet", name).strip())

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """Sockets that this thread opens inside see the ports that the engine publishes."""
        if self.network is None:
            yield
            return
        with Path("/proc/thread-self/ns/net").open() as home, self.network.open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def _enter(namespace: int) -> None:
    # os.setns exists from Python 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, 0):
        raise OSError(ctypes.get_errno(), "cannot enter the engine's network namespace")


def running_engine() -> Engine | None:
    """The engine this user can talk to already, None where there is none with the compose plugin."""
    passed_on = ("HOME", "PATH", "XDG_RUNTIME_DIR")
    environment = {name: value for name, value in os.environ.items() if name in passed_on or name.startswith("DOCKER_")}
    engine = Engine(environment)
    try:
        engine.docker("info")
        engine.docker("compose", "version")
    except CommandFailed:
        return None
    return engine


@dataclass
class PrivateEngine:
    """A dockerd of our own: its network, mounts and processes are apart from this machine's and end with it."""

    programs: Path  # as fetched by debian.fetch_programs
    data: Path  # images and volumes
    folder: Path  # socket, log and state; nothing of it is worth keeping
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __enter__(self) -> Engine:
        socket = self.folder / "docker.sock"
        log = self.folder / "log"
        environment = programs_environment(self.programs)
        daemon = [
            "dockerd", "--host", f"unix://{socket}", "--data-root", self.data, "--exec-root", self.folder / "exec",
            "--pidfile", self.folder / "pid",
        ]  # fmt: skip
        # When this process dies, however it dies, the engine gets its SIGTERM and everything in it ends.
        apart = [
            "setpriv", "--pdeathsig", "KILL",
            "unshare", "--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child=SIGTERM",
            "docker-init", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
        ]  # fmt: skip
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*apart, *daemon], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        client = environment | {"DOCKER_HOST": f"unix://{socket}", "DOCKER_CONFIG": str(self._client_folder())}
        del client["LD_LIBRARY_PATH"]
        engine = Engine(client, network=Path(f"/proc/{self._process.pid}/ns/net"))
        try:
            self._await_answer(engine, log)
        except BaseException:
            self.__exit__()
            raise
        return engine

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        for child in Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    def _client_folder(self) -> Path:
        """A client's settings that know the unpacked plugins and none of this user's settings."""
        folder = self.folder / "client"
        folder.mkdir()
        (folder / "cli-plugins").symlink_to(self.programs / PLUGINS_FOLDER)
        return folder

    def _await_answer(self, engine: Engine, log: Path) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                engine.docker("info")
                return
            except CommandFailed as error:
                if self._process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["no output"]
                raise OutOfReach(f"dockerd does not start: {last[0]}") from error
