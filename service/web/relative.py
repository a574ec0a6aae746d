"""Links that stay below whatever path a proxy serves us under: none of them begins with a slash."""

from starlette.requests import HTTPConnection


def to_root(request: HTTPConnection) -> str:
    """The way from the requested page up to our own root: "./" for /studies, "../" for /studies/digits-1."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return "../" * (path.count(b"/") - 1) or "./"
