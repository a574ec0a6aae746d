"""A server that refuses every statement with the same error, as one that is full, read-only or shutting down does.

It stands between a program and a real Postgres and speaks its protocol, so what the program meets is what libpq makes
of a real refusal: https://www.postgresql.org/docs/current/protocol-message-formats.html.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from service.ports import LOOPBACK

ENCRYPTION = (80877103, 80877104)  # what a client asks before it begins: TLS, GSSAPI

# Errors that a database may have for a while, with the words of the server's own refusals.
FOR_A_WHILE = {
    "25006": "cannot execute INSERT in a read-only transaction",
    "53100": "could not extend file: No space left on device",
    "53200": "out of memory",
    "53300": "sorry, too many clients already",
    "55P03": "canceling statement due to lock timeout",
    "57014": "canceling statement due to statement timeout",
    "25P03": "terminating connection due to idle-in-transaction timeout",
    "57P01": "terminating connection due to administrator command",
    "57P03": "the database system is starting up",
    "58030": "could not write to file: Input/output error",
}
REFUSES_CONNECTIONS = ("53300", "57P01", "57P03")
ENDS_THE_SESSION = ("25P03", "57P01", "57P03")


class RefusingServer:
    """A way to `url` that passes everything on, but for the time between `refuse` and `relent`."""

    def __init__(self, url: str) -> None:
        address = sa.make_url(url)
        self._upstream = (address.host or LOOPBACK, address.port or 5432)
        self._listener = socket.create_server((LOOPBACK, 0), backlog=64)
        here = address.set(host=LOOPBACK, port=self._listener.getsockname()[1])
        self.url = here.render_as_string(hide_password=False)
        self.refused = 0  # statements and connections so far
        self._code: str | None = None
        self._sockets: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        self._listener.close()
        for one in tuple(self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def refuse(self, code: str) -> None:
        """Refuse every statement with this SQLSTATE, and new connections where a server would."""
        self._code = code

    def relent(self) -> None:
        self._code = None

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError), client, socket.create_connection(self._upstream) as server:
            self._sockets |= {client, server}
            try:
                self._begin(client, server)
                session = _Session(client, server)
                threading.Thread(target=session.pass_answers, daemon=True).start()
                for kind, body in _messages(client):
                    code = self._code
                    if code is None or kind != b"Q" or body.startswith(b"ROLLBACK"):
                        server.sendall(_message(kind, body))
                        continue
                    self.refused += 1
                    session.refuse(code)
            finally:
                self._sockets -= {client, server}

    def _begin(self, client: socket.socket, server: socket.socket) -> None:
        while True:
            [length] = struct.unpack("!I", _exactly(client, 4))
            body = _exactly(client, length - 4)
            if struct.unpack("!I", body[:4])[0] not in ENCRYPTION:
                break
            client.sendall(b"N")
        code = self._code
        if code in REFUSES_CONNECTIONS:
            self.refused += 1
            client.sendall(_refusal("FATAL", code))
            raise EOFError
        server.sendall(struct.pack("!I", length) + body)


class _Session:
    """One client's session: in which state its transaction is, and whose turn it is to speak to the client."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._is_open = False  # a transaction

    def pass_answers(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            for kind, body in _messages(self._server):
                if kind == b"Z":
                    self._is_open = body != b"I"
                self._client.sendall(_message(kind, body))
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)

    def refuse(self, code: str) -> None:
        if code in ENDS_THE_SESSION:
            self._client.sendall(_refusal("FATAL", code))
            raise EOFError
        state = b"E" if self._is_open else b"I"
        self._client.sendall(_refusal("ERROR", code) + _message(b"Z", state))


def _refusal(severity: str, code: str) -> bytes:
    fields = {b"S": severity, b"V": severity, b"C": code, b"M": FOR_A_WHILE[code]}
    return _message(b"E", b"".join(key + text.encode() + b"\0" for key, text in fields.items()) + b"\0")


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _messages(source: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    while True:
        kind = _exactly(source, 1)
        [length] = struct.unpack("!I", _exactly(source, 4))
        yield kind, _exactly(source, length - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
