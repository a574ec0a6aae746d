"""TCP ports to listen on."""

import socket

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now; an address that does not resolve counts as free."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        return True  # the server's own message says more
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: a recently closed one is no obstacle
        try:
            probe.bind(address)
        except OSError:
            return False
    return True


def any_free() -> int:
    """Return a port on loopback that is not in use."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def preferred_or_free(port: int) -> int:
    """`port` itself if it is free on loopback, else another one."""
    return port if is_free(port) else any_free()


def listening(port: int) -> socket.socket:
    """A socket that listens on loopback, on `port` if it is free, else on another one.

    A port that is picked first and listened on later may be taken meanwhile, perhaps by somebody else's server.
    """
    for candidate in (port, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, candidate))
            listener.listen(128)
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError(f"no port of {LOOPBACK} can be listened on")
