"""Optuna's page and its script, which are written for the root of a host, made to work below any path.

The script learns from its own address where it is served, and puts that before the paths that it asks for.
"""

import gzip
import hashlib
from functools import cached_property
from importlib.resources import files

from service.dashboard.assets import asset
from service.reports.markup import element, join

STYLES = ("tokens.css", "optuna.css")
ROOT = "pernodedropRoot"
_FIND_ROOT = f'var {ROOT}=new URL(document.currentScript.src).pathname.replace(/\\/static\\/bundle\\.js$/,"");\n'
# What Optuna's script says of its addresses, and what it says instead.
CHANGES = (
    ('url_prefix:"/dashboard"', f'url_prefix:{ROOT}+"/dashboard"'),
    ("this.baseURL=(", f"this.baseURL={ROOT}+("),
    ("`/csv/${", f"`${{{ROOT}}}/csv/${{"),
    ("`/artifacts/${", f"`${{{ROOT}}}/artifacts/${{"),
)


class Bundle:
    """The script, made once, when it is first asked for."""

    @cached_property
    def plain(self) -> bytes:
        script = files("optuna_dashboard").joinpath("public", "bundle.js").read_text(encoding="utf-8")
        for theirs, ours in CHANGES:
            script = script.replace(theirs, ours)
        return (_FIND_ROOT + script).encode()

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.plain, 6)

    @cached_property
    def tag(self) -> str:
        """What tells browsers that their copy is still the same."""
        return f'"{hashlib.sha256(self.plain).hexdigest()[:16]}"'


def page_at(root: str) -> str:
    """Optuna's page with a relative address of its script, and with ours; `root` is the way up to our own root."""
    page = files("optuna_dashboard").joinpath("index.html").read_text(encoding="utf-8")
    ours = join(
        (
            *(element("link", rel="stylesheet", href=root + asset(name).address) for name in STYLES),
            element("script", src=root + asset("optuna.js").address),
        )
    )
    page = page.replace('src="/static/', f'src="{root}static/')
    return page.replace("</head>", f"{ours}</head>", 1)
