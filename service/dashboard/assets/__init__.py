"""The style sheets and scripts of the pages: each has an address that names its content, so browsers keep it."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

TYPES = {"css": "text/css", "js": "text/javascript"}
A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """A file that pages load, as it is sent."""

    name: str
    plain: bytes
    zipped: bytes
    tag: str  # of its content

    @property
    def address(self) -> str:
        """Its address relative to our root."""
        return f"assets/{self.tag}/{self.name}"


@cache
def asset(name: str) -> Asset:
    """The asset of this name. Raises KeyError: there is none."""
    plain = _source(name).read_bytes()
    return Asset(name, plain, gzip.compress(plain, 6, mtime=0), hashlib.sha256(plain).hexdigest()[:16])


def _source(name: str) -> Traversable:
    if name == "plotly.js":
        return files("plotly").joinpath("package_data", "plotly.min.js")
    for folder in (files("service.dashboard").joinpath("assets"), files("service.reports").joinpath("assets")):
        found = folder.joinpath(name)
        if name.rpartition(".")[2] in TYPES and "/" not in name and found.is_file():
            return found
    raise KeyError(name)


def _send(request: Request) -> Response:
    try:
        found = asset(request.path_params["name"])
    except KeyError:
        raise HTTPException(404) from None
    # Another release's address gets today's file, which must not be kept under it.
    current = request.path_params["tag"] == found.tag
    headers = {"Cache-Control": A_YEAR if current else "no-store", "Vary": "Accept-Encoding"}
    zips = "gzip" in request.headers.get("accept-encoding", "")
    if zips:
        headers["Content-Encoding"] = "gzip"
    kind = TYPES[found.name.rpartition(".")[2]]
    return Response(found.zipped if zips else found.plain, media_type=kind, headers=headers)


ROUTES = [Route("/assets/{tag}/{name}", _send)]
