"""How often a worker asks Postgres for a trial, counted between the two: each time it waits for the network once.

    python -m benchmarks.round_trips [--trials 40] [--workers 2] [--seconds 0.5] [--steps 5]

The trials are those of `benchmarks.overhead`, and go the whole way: claim, suggestions of five parameters, trial
process, curves, Optuna's record. What workers send while they wait for runs is counted too.
"""

# ruff: noqa: E402
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1].resolve()
# `queue.py` in this folder must not be taken for the standard module.
sys.path[:] = [str(ROOT), *(path for path in sys.path if Path(path) != Path(__file__).parent.resolve())]

import asyncio
import threading
import warnings

import optuna
import sqlalchemy as sa

from benchmarks.overhead import definition, fleet_of, parsed, wait
from benchmarks.queue import database
from service.storage.studies import studies

PIECE = 65536  # bytes


class Counter:
    """Passes connections on to a server, and counts what clients send: a question at a time, as libpq does."""

    def __init__(self, host: str, port: int) -> None:
        self.sent = 0
        self._target = host, port
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port: int = self._server.result().sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._pass_on(reader, theirs[1], 1), self._pass_on(theirs[0], writer, 0))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: int) -> None:
        try:
            while piece := await reader.read(PIECE):
                self.sent += counts
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


def main() -> None:
    options = parsed(__doc__, trials=40, workers=2, seconds=0.5)
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with database() as db:
        url = sa.make_url(db.url)
        counter = Counter(url.host or "127.0.0.1", url.port or 5432)
        through = url.set(host="127.0.0.1", port=counter.port).render_as_string(hide_password=False)
        with fleet_of(db, options, through) as ended:
            before = counter.sent
            study = studies.create(db, definition(options))
            wait(lambda: studies.get(db, study.name).finished_at is not None, ended)
            print(f"{(counter.sent - before) / options.trials:.1f} round trips a trial of {options.steps} epochs")


if __name__ == "__main__":
    main()
