"""The connection to one controller: what is sent over it, waiting or awaited, and its errors."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar

import httpx

from pernodedrop.client.errors import Refused, Unreachable
from pernodedrop.client.wire import (
    Malformed,
    Pause,
    Request,
    Steps,
    broken_off,
    check_named,
    refusal,
    stranger,
    too_large,
    unreachable,
    unsendable,
)
from pernodedrop.proxies import (
    API_KEY,
    CONTROLLER,
    DEFAULT_CONTROLLER,
    certificates,
    controller_address,
    key_of,
    login_of,
    proxy_of,
)

T = TypeVar("T")

TIMEOUT = 30.0  # s


class Controller:
    """Where a controller is, and the key for it: what a connection is made of. Its text never has a secret."""

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        """By default the address is PERNODEDROP_URL, else this machine's port 8000, and the key PERNODEDROP_API_KEY.

        Raises:
            ValueError: the address or the key is none; the message is one line that names the variable or argument.
            BadVariable: a proxy or certificates that the environment names cannot be used.
        """
        given = url if url is not None else os.environ.get(CONTROLLER, "").strip() or DEFAULT_CONTROLLER
        address = controller_address("url" if url is not None else CONTROLLER, given)
        self.url, self._login = login_of(address)
        named = "api_key" if api_key is not None else API_KEY
        self._key = key_of(named, api_key if api_key is not None else os.environ.get(API_KEY, "").strip() or None)
        if not timeout > 0:
            raise ValueError(f"timeout must be a number of seconds above 0, got {timeout}")
        self.timeout = timeout

    def options(self) -> dict[str, Any]:
        """What httpx's clients take. The environment's proxy counts unless the controller is on this machine."""
        return {
            "base_url": f"{self.url}/v1/",
            "headers": {b"X-API-Key": self._key.encode()} if self._key else {},
            "auth": self._login,
            "timeout": self.timeout,
            "trust_env": False,
            "proxy": proxy_of(self.url),
            "verify": certificates(self.url),
        }

    def __repr__(self) -> str:
        return f"Controller({self.url!r})"


class Connection:
    """Calls that wait for their answers. Threads may share it."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.last_headers: Mapping[str, str] = {}  # of the answer before, where one thread alone calls
        self._http = httpx.Client(**controller.options())

    @property
    def url(self) -> str:
        return self.controller.url

    def close(self) -> None:
        self._http.close()

    def run(self, steps: Steps[T]) -> T:
        """Carry out an operation.

        Raises:
            Unreachable: nobody answers.
            Refused: the controller refuses.
        """
        try:
            step = next(steps)
            while True:
                try:
                    step = steps.send(self._done(step))
                except (Unreachable, Refused) as error:
                    step = steps.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        except Malformed:
            raise stranger(self.url, httpx.codes.OK, self.last_headers) from None

    def send(self, request: Request) -> bytes:
        """The answer's body; raises as `run`."""
        with self.stream(request) as pieces:
            return b"".join(pieces)

    @contextmanager
    def stream(self, request: Request) -> Iterator[Iterator[bytes]]:
        """The answer's body by pieces; raises as `run`, while it is read too."""
        url, has_begun = self.url, False
        try:
            with self._http.stream(request.method, request.path, **request.options()) as response:
                has_begun = True
                self.last_headers = response.headers
                if not response.is_success:
                    raise refusal(
                        url,
                        response.status_code,
                        b"".join(_bounded(url, request, response.iter_bytes())),
                        response.headers,
                    )
                check_named(url, request, response.headers)
                yield _bounded(url, request, response.iter_bytes())
        except UnicodeEncodeError as error:
            raise unsendable(error) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise (broken_off if has_begun else unreachable)(url, error) from error

    def _done(self, step: Request | Pause) -> bytes:
        if isinstance(step, Request):
            return self.send(step)
        time.sleep(step.seconds)
        return b""


class AsyncConnection:
    """Calls whose answers are awaited."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self.last_headers: Mapping[str, str] = {}  # of the answer before
        self._http = httpx.AsyncClient(**controller.options())

    @property
    def url(self) -> str:
        return self.controller.url

    async def close(self) -> None:
        await self._http.aclose()

    async def run(self, steps: Steps[T]) -> T:
        """Carry out an operation; raises as `Connection.run`."""
        try:
            step = next(steps)
            while True:
                try:
                    step = steps.send(await self._done(step))
                except (Unreachable, Refused) as error:
                    step = steps.throw(error)
        except StopIteration as end:
            result: T = end.value
            return result
        except Malformed:
            raise stranger(self.url, httpx.codes.OK, self.last_headers) from None

    async def send(self, request: Request) -> bytes:
        """The answer's body; raises as `run`."""
        async with self.stream(request) as pieces:
            return b"".join([piece async for piece in pieces])

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
        """The answer's body by pieces; raises as `run`, while it is read too."""
        url, has_begun = self.url, False
        try:
            async with self._http.stream(request.method, request.path, **request.options()) as response:
                has_begun = True
                self.last_headers = response.headers
                pieces = _bounded_async(url, request, response.aiter_bytes())
                if not response.is_success:
                    raise refusal(
                        url, response.status_code, b"".join([piece async for piece in pieces]), response.headers
                    )
                check_named(url, request, response.headers)
                yield pieces
        except UnicodeEncodeError as error:
            raise unsendable(error) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise (broken_off if has_begun else unreachable)(url, error) from error

    async def _done(self, step: Request | Pause) -> bytes:
        if isinstance(step, Request):
            return await self.send(step)
        await asyncio.sleep(step.seconds)
        return b""


class Connected:
    """A client by its connection: `with` or `close` ends it."""

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout: float = TIMEOUT) -> None:
        """A client of the controller at `url`.

        Args:
            url: The controller's address; by default PERNODEDROP_URL, else http://127.0.0.1:8000.
            api_key: Its key; by default PERNODEDROP_API_KEY, else none.
            timeout: So many seconds a request may take.

        Raises:
            ValueError: the address, the key or a proxy of the environment cannot be used.
        """
        self._connection = Connection(Controller(url, api_key, timeout))

    @property
    def url(self) -> str:
        """The controller's address, without a name and password in it."""
        return self._connection.url

    def close(self) -> None:
        """End the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


def _bounded(url: str, request: Request, pieces: Iterator[bytes]) -> Iterator[bytes]:
    seen = 0
    for piece in pieces:
        seen += len(piece)
        if seen > request.most_bytes:
            too_large(url, request.most_bytes)
        yield piece


async def _bounded_async(url: str, request: Request, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    seen = 0
    async for piece in pieces:
        seen += len(piece)
        if seen > request.most_bytes:
            too_large(url, request.most_bytes)
        yield piece
