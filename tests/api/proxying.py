"""A reverse proxy that serves another server under a path, and takes the path away or passes it on."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
Headers = list[tuple[str, str]]


@contextmanager
def proxied(server: str, prefix: str, *, strips: bool = True) -> Iterator[str]:
    """Yield the address under which `server` is reached; whatever leads out of it meets another program."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            inside = self.path.removeprefix(prefix)
            is_root = inside == "" and not strips
            if inside == self.path or not (is_root or inside.startswith("/")):
                return self._answer(502, [("Content-Type", "text/html")], b"<h1>another program</h1>")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with closing(HTTPConnection(urlsplit(server).netloc, timeout=60)) as upstream:
                upstream.request(
                    self.command, inside if strips else self.path, body, dict(end_to_end(self.headers.items()))
                )
                response = upstream.getresponse()
                return self._answer(response.status, end_to_end(response.getheaders()), response.read())

        do_POST = do_PATCH = do_DELETE = do_HEAD = do_GET  # noqa: N815

        def _answer(self, status: int, headers: Headers, content: bytes) -> None:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}{prefix}"
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


def end_to_end(headers: Any) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]
