"""What was meant by an address that leads to no page: the page with the nearest address, and the one above it."""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.routing import Route

from pernodedrop.near import nearest
from search_spaces.wording import flaw_of_name
from service.dashboard.optuna.pages import PAGES
from service.storage.database.database import Database
from service.storage.studies import names

Parts = Sequence[str]
Way = tuple[str, str]  # a link's words, and its address below our root


def ways_from(request: Request) -> list[Way]:
    """The page that was probably meant, then that above it, as far as there are such.

    Raises:
        UnknownStudy: the address is below a study that is not there.
    """
    parts = [part for part in request.url.path.split("/") if part]
    templates = [*_templates(request)]
    if len(parts) > 1 and parts[0] == "studies":
        if flaw_of_name(parts[1]) is not None:
            return [("/studies", "studies")]
        database: Database = request.app.state.database
        names.task_of(database, parts[1])
    same = parts if f"/{'/'.join(parts)}" != request.url.path else None  # but for its slashes
    above = [parts[:end] for end in range(len(parts) - 1, 0, -1)]
    there: dict[str, str] = {}
    for one in (same, _near(parts, templates), *above):
        if one is not None and any(_leads_to(one, template) for template in templates):
            there[f"/{'/'.join(one)}"] = "/".join(quote(part, safe="") for part in one)
    return list(there.items())[:2]


def _templates(request: Request) -> Iterator[Parts]:
    """The addresses of pages, and of files beside them."""
    for route in request.app.routes:
        if isinstance(route, Route) and "GET" in (route.methods or ()):
            yield [part for part in route.path.split("/") if part]
    yield from (page.split("/") for page in PAGES)


def _leads_to(parts: Parts, template: Parts) -> bool:
    return len(parts) == len(template) and all(map(_fits, parts, template))


def _fits(part: str, of_template: str) -> bool:
    return of_template.startswith("{") or part == of_template


def _near(parts: Parts, templates: Sequence[Parts]) -> Parts | None:
    """The address of which one part is another."""
    for place in range(len(parts) - 1, -1, -1):
        around = [
            one[place]
            for one in templates
            if len(one) == len(parts)
            and not one[place].startswith("{")
            and all(_fits(part, said) for at, (part, said) in enumerate(zip(parts, one, strict=True)) if at != place)
        ]
        meant = nearest(parts[place], around)
        if meant not in (None, parts[place]):
            return [*parts[:place], meant, *parts[place + 1 :]]
    return None
