"""Links that stay below whatever path a proxy serves us under: none of them begins with a slash."""

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class BelowPath:
    """ASGI middleware for a proxy that does not take its path away: `root`, such as /tools, or "" for none.

    Requests below it are answered as without it, and so are those that do not name it: health checks come directly.
    """

    def __init__(self, app: ASGIApp, root: str) -> None:
        self.app, self._root = app, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._root:
            path: str = scope["path"]
            if path == self._root:  # without the slash, links would lead beside it
                return await RedirectResponse(f"{self._root.rpartition('/')[2]}/")(scope, receive, send)
            if path.startswith(f"{self._root}/"):
                inside, raw = path.removeprefix(self._root), scope.get("raw_path") or path.encode()
                scope = {**scope, "path": inside, "raw_path": raw.removeprefix(self._root.encode())}
        return await self.app(scope, receive, send)


def to_root(request: HTTPConnection) -> str:
    """The way from the requested page up to our own root: "./" for /studies, "../" for /studies/digits-1."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"
