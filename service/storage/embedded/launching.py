"""What a start of the server needs to know: its settings, the port that it had, and what its log says since then."""

import os
from pathlib import Path

from service.ports import LOOPBACK

PRIVILEGED = 1024  # ports below are for root alone
_TAKEN = ("could not bind", "could not create any TCP/IP sockets")


def settings(port: int, cluster_name: str) -> dict[str, str | int]:
    """The settings that a start gives the server."""
    return {
        "port": port,
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",  # a socket's path is limited to some 100 bytes, a folder's is not
        "cluster_name": cluster_name,
        "max_connections": 200,
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }


def port_in(file: Path) -> int:
    """Return the port that the file holds; 0 if it holds none that a server may have, after a loss of power."""
    text = file.read_text(errors="replace").strip() if file.exists() else ""
    port = int(text[:6]) if text.isascii() and text.isdecimal() else 0
    return port if PRIVILEGED <= port < 2**16 else 0


def size_of(log: Path) -> int:
    """Return the log's present size in bytes."""
    return log.stat().st_size if log.exists() else 0


def logged_since(log: Path, size: int) -> str:
    """Return what was written to the log since it had `size` bytes."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(size, os.SEEK_SET)
        return file.read().decode(errors="replace")


def is_of_a_taken_port(said: str) -> bool:
    """Whether the server did not start because another program listens on its port."""
    return any(sign in said for sign in _TAKEN)
