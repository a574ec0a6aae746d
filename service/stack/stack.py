"""Starts the parts of the service, keeps them running, and stops them, with Postgres last."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Self

import httpx

from pernodedrop.begin import command, hidden
from pernodedrop.door import heeded, undisturbed
from pernodedrop.installation import need
from service.client import Away, Client
from service.ports import LOOPBACK, listening
from service.settings import CONTROLLER_PORT, DASHBOARD_PORT, Settings, without_key
from service.stack.child import Child
from service.stack.logs import LogFolder
from service.stack.workers import TendedServer, TendedWorker
from service.storage.embedded import EmbeddedPostgres, EmbeddedPostgresError, NoRoom

READY_SECONDS = 90.0  # a busy machine takes long to import everything
LOOK_SECONDS = 2.0  # for one answer: a server that has died never gives one, though its socket takes the question
WORKER_GRACE = 5.0  # s in which a stopping worker may still end its run
STOP_SECONDS = 20.0
_MAKES_TABLES = "service.storage.database.database"
NURSERY_SECONDS = 1.0  # for the workers' nursery, which may be importing and does not hear before
DATABASE_CHECK = 2.0  # s


class Stack:
    """The service on loopback, as a context manager: call `check` often; it stops at the end of the block."""

    def __init__(
        self,
        settings: Settings,
        *,
        workers: int,
        threads: int = 1,
        slots: str = "1",
        controller_port: int = CONTROLLER_PORT,
        dashboard_port: int = DASHBOARD_PORT,
        say: Callable[[str], None],
    ) -> None:
        need("a worker", "worker", "sklearn")  # a worker starts without it, and then every trial fails
        self.settings = settings
        self._logs = LogFolder(settings.home)
        self._sockets = {"controller": listening(controller_port), "dashboard": listening(dashboard_port)}
        self.url, self.dashboard_url = (
            f"http://{LOOPBACK}:{listener.getsockname()[1]}" for listener in self._sockets.values()
        )
        self._worker_count = workers
        numbers = "--threads", str(threads), "--slots", slots, "--grace", str(WORKER_GRACE)
        self._worker_options = ("--supervised", *numbers)
        self._say = say
        self._postgres = None if settings.database_url else EmbeddedPostgres(settings.home / "postgres")
        self._database_url = settings.database_url or ""
        self._checked = 0.0
        self._lacks_room = False
        self._servers: list[Child] = []
        self._tended_servers: list[TendedServer] = []
        self._workers: list[TendedWorker] = []
        self._nursery: Child | None = None

    def client(self) -> Client:
        return Client(self.url, self.settings.api_key)

    @property
    def logs(self) -> Path:
        """The folder of this stack's logs."""
        return self._logs.path

    @property
    def data(self) -> str:
        """The place where the studies are kept, in words."""
        return "the database of DATABASE_URL" if self._postgres is None else str(self.settings.home / "postgres")

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            starts = self._postgres is not None and not self._database_url
            self.stop()
            if starts and self._logs.is_new:  # a first start that fails leaves nothing behind
                self._logs.remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is KeyboardInterrupt:
                with suppress(OSError):  # there may be no terminal any more
                    self._say("stopping: trials in training end or are handed back, and Postgres stops last")
        finally:
            self.stop()

    def check(self) -> None:
        """Start Postgres and workers again if they have died, and servers if they were killed.

        Raises:
            ChildDied: a server has ended by itself, or a worker too often.
            EmbeddedPostgresError: Postgres has ended and does not start again at its address.
        """
        for one in (*self._tended_servers, *self._workers):
            one.tend()
        if self._postgres is not None and time.monotonic() - self._checked > DATABASE_CHECK:
            self._tend(self._postgres)
            self._checked = time.monotonic()

    def _tend(self, postgres: EmbeddedPostgres) -> None:
        """Start Postgres again if it has died; where its disk is full, say so once, and go on when there is room."""
        state = "has stopped"
        try:
            with undisturbed():
                url = postgres.start()
            state = "can write nothing"
            postgres.check_room()
        except NoRoom as error:
            if not self._lacks_room:
                self._say(f"Postgres {state}: {error}; the service waits and then goes on by itself")
            self._lacks_room = True
            return
        if url != self._database_url:  # its port was taken, or its folder is gone
            raise EmbeddedPostgresError("Postgres started again at another address: start the service again")
        if self._lacks_room:
            self._say("Postgres has room again")
        self._lacks_room = False

    def stop(self) -> None:
        """Stop workers and servers, then Postgres. A second Ctrl-C hands running trials back at once."""
        workers = [worker.child for worker in self._workers]

        def hurry(_number: int, _frame: FrameType | None) -> None:
            for worker in workers:
                worker.terminate()

        usual = {number: signal.signal(number, hurry) for number in heeded()}
        try:
            nurseries = [] if self._nursery is None else [self._nursery]  # nobody needs it when the workers have ended
            for child in (*workers, *self._servers):
                child.terminate()
            for group, patience in (
                (workers, STOP_SECONDS),
                (nurseries, NURSERY_SECONDS),
                (self._servers, STOP_SECONDS),
            ):
                for child in group if group is nurseries else ():
                    child.terminate()
                deadline = time.monotonic() + patience
                for child in group:
                    child.end_by(deadline)
            if self._postgres is not None:
                self._postgres.release()
        finally:
            self._logs.release()
            for listener in self._sockets.values():
                listener.close()
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _start(self) -> None:
        for line in hidden():
            self._say(f"note: {line}")
        if self._postgres is None:
            self._begin()
        else:
            with undisturbed():  # a server that is starting could be left behind
                importing = threading.Thread(target=import_module, args=[_MAKES_TABLES], daemon=True)
                self._database_url = self._postgres.start(meanwhile=self._beginning_beside(importing))
            if importing.ident is not None:
                importing.join()  # two threads that import one package from different ends meet half of it
        from service.storage.database.patience import until_usable  # not for `--help`: it takes half a second

        until_usable(self._initialise, self._say)
        for child in self._children:
            child.tell({"DATABASE_URL": self._database_url})
        self._wait_until_ready()

    def _initialise(self) -> None:
        from service.storage.database.database import initialise

        try:
            initialise(self._database_url)
        except Exception as error:
            if self._postgres is not None:
                self._postgres.check_room(str(error))  # no start waits for room
            raise

    def _beginning_beside(self, importing: threading.Thread) -> Callable[[], None]:
        """Return `_begin`, and import what makes our tables in what is left of the cores before or after it.

        A new folder takes half a second of one core before it; a server that has its data has none to spare.
        """
        if not os.path.exists(self.settings.home / "postgres"):  # noqa: PTH110 (False where nobody can tell)
            importing.start()

        def begin() -> None:
            if importing.ident is not None:
                importing.join()  # a process is forked best where no other thread runs
            self._begin()
            if importing.ident is None:
                importing.start()

        return begin

    @property
    def _children(self) -> list[Child]:
        return [*self._servers, *(worker.child for worker in self._workers)]

    def _begin(self) -> None:
        """Start everything but the database, whose address comes when its server runs and has our tables.

        Until then, which is seconds in a new folder, all of them import what they need.
        """
        self._logs.claim()
        environment = self._environment()
        self._servers = [
            self._child(name, environment, "service.cli", name, "--socket", str(listener.fileno()), listener=listener)
            for name, listener in self._sockets.items()
        ]
        self._tended_servers = [TendedServer(server, self._say) for server in self._servers]
        keyless = without_key(environment)  # what a study's task may read, and has no use for
        self._workers = [
            TendedWorker(self._child(f"worker-{number}", keyless, "workers", *self._worker_options), self._say)
            for number in range(1, self._worker_count + 1)
        ]
        with undisturbed():
            for server in self._servers:
                server.start_early({})
            self._start_workers(keyless)

    def _start_workers(self, environment: Mapping[str, str]) -> None:
        """Start the workers with one process for all, from which their trials are forked: each loads torch otherwise.

        A worker that is started again later has one of its own.
        """
        workers = [worker.child for worker in self._workers]
        if len(workers) == 1:
            workers[0].start_early({})
            return
        with ExitStack() as held:
            pairs = [[held.enter_context(one) for one in socket.socketpair()] for _ in workers]
            numbers = [theirs.fileno() for _, theirs in pairs]
            program = command("workers.trial.shared", *map(str, numbers))
            self._nursery = Child("nursery", program, environment, self.logs / "nursery.log", numbers)
            self._nursery.start()
            for worker, (ours, _) in zip(workers, pairs, strict=True):
                worker.start_early({"PERNODEDROP_NURSERY": str(ours.fileno())}, [ours.fileno()])

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        asking = Client(self.url, self.settings.api_key, timeout=LOOK_SECONDS)
        with asking as client, _browser() as browser:
            said = False
            while (lack := client.lack()) is not None or not _answers(browser, f"{self.dashboard_url}/health"):
                self.check()
                if isinstance(lack, Away):
                    if not said:
                        self._say(f"{lack}: the service waits and then goes on by itself")
                    said, end = True, time.monotonic() + READY_SECONDS
                if time.monotonic() > end:
                    raise self._servers[1 if lack is None else 0].died()
                time.sleep(0.1)

    def _child(
        self, name: str, environment: Mapping[str, str], *arguments: str, listener: socket.socket | None = None
    ) -> Child:
        sockets = [] if listener is None else [listener.fileno()]
        return Child(name, command(*arguments), environment, self.logs / f"{name}.log", sockets)

    def _environment(self) -> dict[str, str]:
        """Our environment with the addresses of this stack; it passes the API key, which no command line shows."""
        return {
            **os.environ,
            "PERNODEDROP_HOME": str(self.settings.home),
            "PERNODEDROP_DATA": str(self.settings.data_folder),
            "PERNODEDROP_URL": self.url,
            "PERNODEDROP_DASHBOARD_URL": self.dashboard_url,
            "PYTHONUNBUFFERED": "1",
        }


def _browser() -> httpx.Client:
    """A client of our dashboard, which nothing in the environment has to do with."""
    return httpx.Client(trust_env=False, verify=False, timeout=LOOK_SECONDS)  # noqa: S501 (it speaks no TLS)


def _answers(browser: httpx.Client, url: str) -> bool:
    try:
        return browser.get(url).is_success
    except httpx.TransportError:
        return False
