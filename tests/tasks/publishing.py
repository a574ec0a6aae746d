"""A real server on loopback that publishes a real archive, whole or from a byte on, or breaks off."""

import hashlib
import http.server
import io
import re
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from workers.tasks.archives import Archive


@dataclass
class Publisher:
    """What is served, how, and which ranges were asked for."""

    content: bytes
    port: int = 0
    ranges: bool = True  # whether the server can continue
    breaks_after: int | None = None  # bytes of the first answer, then the connection ends
    delay_s: float = 0.0
    asked: list[int] = field(default_factory=list)  # first byte of each request

    def archive(self, **changes: object) -> Archive:
        settings = {
            "address": f"http://127.0.0.1:{self.port}/~kriz/images.tar.gz",
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "size": len(self.content),
            "members": ("a", "b"),
        }
        return Archive(**settings | changes)  # type: ignore[arg-type]


def packed(folder: str = "images", **members: bytes | tarfile.TarInfo) -> bytes:
    """A tar.gz with one folder of files."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zipped(folder: str = "images", **members: bytes) -> bytes:
    """A zip with one folder of files; "word__name" stands for a file in a folder of that folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{folder}/{name.replace('__', '/')}", content)
    return file.getvalue()


@contextmanager
def published(content: bytes) -> Iterator[Publisher]:
    """Serve `content` at any path while the block runs."""
    publisher = Publisher(content)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            start = _first_byte(self.headers["Range"]) if publisher.ranges else 0
            publisher.asked.append(start)
            time.sleep(publisher.delay_s)
            body = publisher.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if len(publisher.asked) == 1:
                body = body[: publisher.breaks_after]
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        publisher.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield publisher
        finally:
            server.shutdown()
            thread.join()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _first_byte(header: str | None) -> int:
    found = re.fullmatch(r"bytes=(\d+)-", header or "")
    return int(found[1]) if found else 0
