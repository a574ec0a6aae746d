"""Serves an application with the production server, on a free port of this machine or on a given one."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from starlette.types import ASGIApp

from service.web.serving import server_of


@contextmanager
def served(app: ASGIApp, proxies: Sequence[str] = (), port: int = 0) -> Iterator[str]:
    """Yield the application's address; it is listening by then and gone afterwards."""
    listener = socket.create_server(("127.0.0.1", port))
    server = server_of(app, proxies=proxies)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            thread.join(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
