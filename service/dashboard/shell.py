"""What every page has: head, navigation, policy. A page is its body and the assets that it loads."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import HTMLResponse

from service.dashboard.assets import asset
from service.dashboard.orders.outcomes import notice
from service.dashboard.orders.tokens import FIELD, token_of
from service.reports.markup import Html, document, element
from service.web.absence import Absence
from service.web.access import LOCAL, Role, caller_of
from service.web.relative import to_root
from service.web.zipped import zipped

STYLES = ("tokens.css", "base.css", "look.css", "orders.css")  # of every page, in this order
NAVIGATION = (("Studies", "studies"), ("Fleet", "fleet"), ("Compare", "compare"), ("Optuna", "dashboard"))
SUBMIT = ("Submit", "submit")  # for who may


def page(
    request: Request,
    title: str,
    *body: Html,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    with_charts: bool = False,
    status: int = 200,
    with_header: bool = True,
) -> HTMLResponse:
    """A page of the dashboard, whose links are relative to our root.

    `styles` and `scripts` are names of assets, in their order. plotly draws with inline styles: `with_charts` loads it
    and allows them. All scripts then run after the first paint, and so after DOMContentLoaded.
    """
    head = [
        element("meta", charset="utf-8"),
        element("base", href=to_root(request)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{title} · PerNodeDrop"),
        *(element("link", rel="stylesheet", href=asset(name).address) for name in (*STYLES, *styles)),
        element("link", rel="icon", href="data:,"),
        *_scripts(scripts, with_charts),
    ]
    content = [_header(request), *filter(None, [_lack(request), notice(request)]), *body] if with_header else body
    headers = {
        "Content-Security-Policy": _policy(bool(scripts) or with_charts, with_charts),
        "Cache-Control": "no-store",
    }
    sent, said = zipped(request, document(head, content).encode())
    return HTMLResponse(sent, status, headers | said)


def brand(href: str = "studies") -> Html:
    """The name of the product, as a link to the studies."""
    return element("a", element("span", class_="mark"), "PerNodeDrop", href=href, class_="brand")


def _lack(request: Request) -> Html | None:
    """What keeps everybody from working while pages can still be read, such as a full disk."""
    absence: Absence = request.app.state.absence
    return None if absence.said is None else element("p", absence.said, class_="notice", role="status")


def _header(request: Request) -> Html:
    caller = caller_of(request)
    if caller.study is not None:  # a link's, which shows nothing else
        return element("header", brand(f"studies/{caller.study}"), element("nav"), element("span", "shared with you"))
    ways = (*NAVIGATION, SUBMIT) if caller.may(Role.SUBMIT) else NAVIGATION
    return element(
        "header",
        brand(),
        element("nav", *(element("a", word, href=target) for word, target in ways)),
        element("a", f"{caller.name} · {caller.role}", href="access", class_="who", title="Who you are here"),
        None if caller is LOCAL else _leave(request),
    )


def _leave(request: Request) -> Html:
    token = element("input", type="hidden", name=FIELD, value=token_of(request))
    return element("form", element("button", "Log out", type="submit"), token, method="post", action="logout")


def _scripts(names: Sequence[str], with_charts: bool) -> list[Html]:
    if not with_charts:
        return [element("script", src=asset(name).address, defer=True) for name in names]
    addresses = [asset(name).address for name in ("plotly.js", "charts.js", *names)]
    return [
        element("link", rel="preload", href=addresses[0], as_="script"),
        element("script", src=asset("later.js").address, defer=True, data_scripts=" ".join(addresses)),
    ]


def _policy(with_scripts: bool, with_charts: bool) -> str:
    scripts = "script-src 'self'; connect-src 'self'; " if with_scripts else ""
    styles = "style-src 'self' 'unsafe-inline'" if with_charts else "style-src 'self'"
    images = "img-src 'self' data: blob:" if with_charts else "img-src 'self' data:"
    return f"default-src 'none'; {scripts}{styles}; {images}; form-action 'self'; base-uri 'self'"
