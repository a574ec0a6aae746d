"""The report as one HTML page that needs nothing else: no network, no other file."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files

from service.reports.found.results import Results
from service.reports.markup import Html, document, element, program, stylesheet
from service.reports.sections import PARTS

STYLES = ("tokens.css", "base.css", "report.css")
PROGRAMS = ("charts.js", "report.js")  # after plotly
TABLE = 'class="table"'
NO_PROGRAMS = "This browser runs no scripts, so the charts are missing; every table is here."


def html_report(results: Results) -> str:
    """The study's report.

    The page has 5 MB, most of it plotly.js. Its content security policy allows its own programs and no request.
    """
    return document(
        head=(
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy()),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", f"{results.study.name} – report"),
            stylesheet("".join(map(_asset, STYLES))),
        ),
        body=(
            report_body(results),
            *(program(source) for source in _programs()),
        ),
    )


def report_body(results: Results) -> Html:
    """What the report's page shows, for a page that loads `report.css`, plotly and `report.js` itself."""
    bodies = [body for body in (part.body(results) for part in PARTS) if body is not None]
    return element("main", *_side_by_side(bodies), element("noscript", NO_PROGRAMS), class_="report")


def _side_by_side(bodies: Sequence[Html]) -> Iterator[Html]:
    """The parts in their order, neighbours without a table in pairs, which stand side by side where a screen is wide.

    The last one has the definition, whose lines are long.
    """
    waiting: Html | None = None
    for place, body in enumerate(bodies):
        is_narrow = body.startswith("<section") and TABLE not in body and place + 1 < len(bodies)
        if waiting is not None and is_narrow:
            yield element("div", waiting, body, class_="pair")
            waiting = None
            continue
        if waiting is not None:
            yield waiting
        waiting = body if is_narrow else None
        if not is_narrow:
            yield body
    if waiting is not None:
        yield waiting


@cache
def _programs() -> tuple[str, ...]:
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return plotly, *map(_asset, PROGRAMS)


@cache
def _policy() -> str:
    """The policy allows scripts by their hash alone: a text that was not escaped would not run."""
    digests = (base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in _programs())
    scripts = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:"


@cache
def _asset(name: str) -> str:
    return files("service.reports").joinpath("assets", name).read_text(encoding="utf-8")
