"""Sends one message to one receiver, within a time, whatever the receiver does."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import httpcore
import httpx

from pernodedrop.proxies import BadVariable, certificates
from service.webhooks.addresses import AddressRefused, Unresolvable, port_of, resolve
from service.webhooks.allowed import Allowed

CONNECT_S = 5.0  # for one address
TOTAL_S = 15.0  # for everything after the name is resolved
MOST_READ = 4096  # bytes of an answer: what says why
MOST_SHOWN = 200  # characters of it
MOST_WAIT_S = 3600.0  # of an answer's Retry-After
_GONE = 410


@dataclass(frozen=True)
class Outcome:
    """What became of one try."""

    status: int | None  # of the answer, if there was one
    error: str | None  # None: the receiver has taken it
    wait_s: float = 0.0  # that the receiver wants at least
    is_final: bool = False  # another try is of no use


def send(
    url: str,
    headers: dict[str, str],
    body: bytes,
    allowed: Allowed,
    *,
    total_s: float = TOTAL_S,
    trusted: ssl.SSLContext | None = None,
) -> Outcome:
    """Post the body, and return what the receiver said. The environment's proxies are not asked: a proxy would resolve
    the name again. Redirects are not followed."""
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
        addresses = resolve(host, port_of(parsed), allowed)
        context = trusted or certificates(url) or None
        assert not isinstance(context, bool)
        return _post(parsed, headers, body, context, _Checked(addresses, monotonic() + total_s))
    except AddressRefused as error:
        return Outcome(None, str(error))
    except (Unresolvable, BadVariable) as error:
        return Outcome(None, str(error))
    except httpcore.ConnectTimeout:
        return Outcome(None, f"no connection within {CONNECT_S:g} s: is the receiver running, and may we reach it?")
    except httpcore.TimeoutException:
        return Outcome(None, f"no answer within {total_s:g} s: the receiver should answer first and work afterwards")
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        return Outcome(None, _said(error))


def _post(
    url: httpx.URL,
    headers: dict[str, str],
    body: bytes,
    context: ssl.SSLContext | None,
    network: httpcore.NetworkBackend,
) -> Outcome:
    sent = [("Host", url.netloc.decode("ascii")), *headers.items(), ("Content-Length", str(len(body)))]
    with httpcore.ConnectionPool(ssl_context=context, network_backend=network, max_connections=1) as pool:
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        with pool.stream("POST", target, headers=sent, content=body) as answer:
            given = {name.lower(): value for name, value in answer.headers}
            if 200 <= answer.status < 300:  # taken; what else it says is nobody's business
                return Outcome(answer.status, None)
            return _refused(answer.status, given, _beginning(answer.iter_stream()))


def _refused(status: int, headers: dict[bytes, bytes], text: str) -> Outcome:
    if 300 <= status < 400:
        place = headers.get(b"location", b"").decode("latin-1")[:MOST_SHOWN]
        return Outcome(status, f"status {status} redirects to {place!r}, which is not followed: register that address")
    if status == _GONE:
        return Outcome(status, "status 410, the receiver is gone for good: remove the webhook", is_final=True)
    said = f": {text}" if text else ""
    return Outcome(status, f"status {status}{said}", wait_s=_wait(headers.get(b"retry-after", b"")))


def _beginning(pieces: Iterable[bytes]) -> str:
    read = b""
    try:
        for piece in pieces:
            read += piece[: MOST_READ - len(read)]
            if len(read) >= MOST_READ:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        pass  # the status is known
    return " ".join(read.decode(errors="replace").split())[:MOST_SHOWN]


def _wait(said: bytes) -> float:
    """Seconds that `Retry-After` asks for; a date is not read."""
    text = said.strip()[:9]
    return min(float(text), MOST_WAIT_S) if text.isdigit() else 0.0


def _said(error: BaseException) -> str:
    return f"{str(error) or type(error).__name__}: is the receiver running at this address?"


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were checked, whatever the name resolves to by now, until a time is over."""

    def __init__(self, addresses: list[str], until: float) -> None:
        self._addresses, self._until = addresses, until
        self._inner = httpcore.SyncBackend()

    def _left(self, most: float = TOTAL_S) -> float:
        left = self._until - monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return min(left, most) if most != TOTAL_S else left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses:
            try:
                return _Timed(self._inner.connect_tcp(address, port, self._left(CONNECT_S)), self._left)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class _Timed(httpcore.NetworkStream):
    """A connection whose every word ends with the time of the whole: a receiver that drips does not stretch it."""

    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float]) -> None:
        self._inner, self._left = inner, left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._inner.start_tls(ssl_context, server_hostname, self._left()), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
