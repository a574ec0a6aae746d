"""The page that shows a secret, once."""

from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.orders.outcomes import Outcome
from service.dashboard.shell import page
from service.reports.markup import element, with_commands

GONE = "It was shown before and cannot be shown again: make another one, or rotate the key."


def secret_page(request: Request, outcome: Outcome) -> Response:
    """What came of the order, with the secret that it made."""
    secret = None if outcome.secret is None else outcome.secret.text
    shown = (
        element("p", GONE, class_="complaint", role="alert")
        if secret is None
        else element("p", element("code", secret), class_="secret", tabindex="0", role="group", aria_label="The secret")
    )
    card = element(
        "section",
        element("h1", "Keep this"),
        element("p", with_commands(outcome.said)),
        shown,
        element("p", "This page alone shows it: whoever has it needs nothing else.", class_="hint"),
        element("p", element("a", "Go on", href=outcome.page, class_="button")),
        class_="card sheet",
    )
    return page(request, "Keep this", element("main", card))
