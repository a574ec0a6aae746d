"""Gives an order: the one way from a posted form to the storage."""

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.dashboard.orders.outcomes import AGAIN, DONE, NUMBER, Outcome, Outcomes, key_of
from service.dashboard.orders.secret_page import secret_page
from service.dashboard.orders.tokens import FIELD, check_token, token_of
from service.storage.database.ordered import Ordered, ordering
from service.storage.unchanged import UNCHANGED
from service.web.access import Role, caller_of, require
from service.web.creations import Creations
from service.web.forms import Form
from service.web.relative import to_root

logger = logging.getLogger(__name__)

BACK = "back"  # the field: the page that an order was given on, relative to our root
_PAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~%/-]*")


async def ordered(
    request: Request,
    order: str,
    role: Role,
    form: Form,
    call: Callable[[Creations], Awaitable[Outcome]],
    *,
    noted: Collection[str] = (),
) -> Response:
    """Give the order for the caller, once for each form, and lead on to the page that says what came of it.

    The audit has the fields `noted` of the form, which are the order's, and no others: nobody forges its words.
    A secret that it made stands on the answer itself: no address leads to it.

    Raises:
        NotAllowed: the caller's role does not reach so far.
        ForeignForm: the form has not the token of the caller's session.
        What `call` raises; the form may be sent again then.
    """
    require(request, role)
    check_token(request, form)
    outcomes: Outcomes = request.app.state.outcomes
    creations: Creations = request.app.state.creations.of(request)
    said = [f"{name}={value}" for name, values in sorted(form.several.items()) if name != FIELD for value in values]
    files = [f"{name}={content.hex()}" for name, content in sorted(form.files.items())]
    number = form[NUMBER]

    async def do() -> Outcome:
        caller = caller_of(request).name
        with ordering(lambda: Ordered(caller, order, _words(request, form, noted))) as given:
            outcome = await call(creations)
        if not given.changes:
            return replace(outcome, said=f"{UNCHANGED.capitalize()}.")
        logger.info("%s: %s by %s", outcome.study or ", ".join(outcome.named.values()) or "access", order, caller)
        return outcome

    if number:
        key = key_of(number, token_of(request), request.url.path, order, *said, *files)
        outcome, again = await outcomes.once(key, do)
    else:  # a program's
        key, outcome, again = "", await do(), False
    if outcome.secret is not None:
        return secret_page(request, outcome)
    query = f"?{DONE}={key}{f'&{AGAIN}=1' if again else ''}" if key else ""
    return RedirectResponse(f"{to_root(request)}{outcome.page}{query}", status_code=303)


def _words(request: Request, form: Form, noted: Collection[str]) -> dict[str, str]:
    """What the audit notes beside the order and the study: which run or worker, and the order's fields."""
    named = {name: str(value) for name, value in request.path_params.items() if name not in ("name", "order")}
    return {**named, **{name: form[name] for name in form.several if name in noted and name not in named}}


def page_back(form: Form, otherwise: str) -> str:
    """The page that the form names as the one before, which must be one of ours; else the other one."""
    page = form[BACK]
    return page if _PAGE.fullmatch(page) and ".." not in page and "//" not in page else otherwise


def here(request: Request) -> str:
    """The requested page, relative to our root."""
    path: str = request.scope["path"]
    return path.lstrip("/")
