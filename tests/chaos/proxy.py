"""A network that can be cut: a TCP proxy in front of Postgres, one address for every worker."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from enum import Enum
from types import TracebackType
from typing import Any, Self

from service.ports import LOOPBACK

CHUNK = 2**16  # bytes


class Weather(Enum):
    """What a link does with what it is given."""

    FAIR = "passes everything on"
    STALL = "keeps everything, to pass it on when it is fair again"
    SWALLOW = "passes on what workers say, and loses the answers"
    DOWN = "accepts nobody"


class Link:
    """One worker's way to the server."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._weather = Weather.FAIR
        self._moving = asyncio.Event()
        self._moving.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def turn(self, weather: Weather) -> None:
        self._weather = weather
        if weather is Weather.STALL:
            self._moving.clear()
        else:
            self._moving.set()
        if weather is Weather.DOWN:
            self.reset()

    def reset(self) -> None:
        """End every connection without a goodbye."""
        for writer in self._writers:
            linger = b"\1\0\0\0\0\0\0\0"  # for no time: closing sends RST
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        server = None
        try:
            if self._weather is Weather.DOWN:
                return
            await self._moving.wait()
            up, server = await asyncio.open_connection(LOOPBACK, self._upstream)
            self._writers.add(server)
            ways = [self._pass(reader, server, answers=False), self._pass(up, writer, answers=True)]
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            return  # the server is down, and so is its client's connection
        finally:
            for one in (writer, server):
                if one is not None:
                    self._writers.discard(one)
                    one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(CHUNK):
            await self._moving.wait()
            if not (answers and self._weather is Weather.SWALLOW):
                writer.write(data)
                await writer.drain()


class Network:
    """`count` links to a server on a port of this machine, on an event loop in a thread of its own."""

    def __init__(self, upstream: int, count: int) -> None:
        self._upstream, self._count = upstream, count
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._links: list[Link] = []
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(self._count):
            self._run(self._open())
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def port(self, link: int) -> int:
        return int(self._servers[link].sockets[0].getsockname()[1])

    def turn(self, weather: Weather, link: int | None = None) -> None:
        """Change one link's weather, or everybody's."""
        for one in self._links if link is None else [self._links[link]]:
            self._loop.call_soon_threadsafe(one.turn, weather)

    async def _open(self) -> None:
        link = Link(self._upstream)
        self._links.append(link)
        self._servers.append(await asyncio.start_server(link.serve, LOOPBACK, 0))

    async def _close(self) -> None:
        for server, link in zip(self._servers, self._links, strict=True):
            server.close()
            link.turn(Weather.DOWN)
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=5)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
