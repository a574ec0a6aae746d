"""How the servers are served: uvicorn, with our connections and without trust in anybody's headers."""

from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from service.ports import LOOPBACK
from service.web.connections import Connection

BACKLOG = 256  # connections that the kernel keeps until they are accepted, and that are accepted in one go


def server_of(app: ASGIApp, *, host: str = LOOPBACK, port: int = 0, proxies: Sequence[str] = ()) -> uvicorn.Server:
    """The application's server. `proxies` are the addresses whose X-Forwarded-For and -Proto count, and nobody else's.

    A server takes the key's guesses by address, so a header that anybody may send must not say whose they are.
    """
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Connection,
            ws="none",
            backlog=BACKLOG,
            workers=1,  # WEB_CONCURRENCY would say otherwise
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            server_header=False,
            access_log=False,
            log_config=None,  # its records go to our log
            timeout_graceful_shutdown=5,
        )
    )
