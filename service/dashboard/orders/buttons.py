"""What the caller may order of a study, a run or a worker, as buttons."""

import re
from collections.abc import Sequence
from typing import TypeVar

from starlette.requests import Request

from service.dashboard.orders.given import here
from service.dashboard.orders.known import OF_ALL_KEYS, OF_KEYS, OF_RUNS, OF_SHARES, OF_STUDIES, OF_WORKERS
from service.dashboard.orders.order import Order
from service.dashboard.orders.runs import RETRY
from service.dashboard.orders.sheet import Sheet, hidden
from service.reports.markup import Html, element
from service.storage.access.keys import AccessKey
from service.storage.access.shares import Share
from service.storage.fleet.members import Member
from service.storage.records import StudyRecord, TrialRecord
from service.storage.states import Stage, StudyState
from service.web.access import Role, caller_of

Thing = TypeVar("Thing")


def buttons(request: Request, study: StudyRecord) -> Html | None:
    """The buttons above the pages of the study; None where the caller may order nothing."""
    shown = _shown(request, OF_STUDIES, study, f"studies/{study.name}")
    if caller_of(request).may(Role.SUBMIT):
        shown.append(element("a", "Clone", href=f"submit?like={study.name}", class_="button"))
    return _group(shown, f"Orders on {study.name}")


def trial_buttons(request: Request, study: StudyRecord, trial: TrialRecord) -> Html | None:
    """The buttons of a run of the study; None where there is nothing to order."""
    number = trial.number if trial.stage is Stage.SEARCH else trial.place
    if number is None or study.state == StudyState.STOPPED:
        return None
    part = "trials" if trial.stage is Stage.SEARCH else "confirmation"
    orders = [order for order in OF_RUNS if order is not RETRY or not study.cancels]
    return _group(
        _shown(request, orders, trial, f"studies/{study.name}/{part}/{number}"),
        f"Orders on {trial.stage.called(number)}",
    )


def drain_button(request: Request, worker: Member) -> Html | None:
    """The button that drains the worker; None where the caller may not, or it is leaving."""
    return _group(_shown(request, OF_WORKERS, worker, f"workers/{worker.id}"), f"Orders on {worker.host}:{worker.pid}")


def keys_buttons(request: Request) -> Html | None:
    """The button that makes a key; None where the caller may not."""
    return _group(_shown(request, OF_ALL_KEYS, object(), "access"), "Orders on keys")


def key_buttons(request: Request, key: AccessKey) -> Html | None:
    """The buttons of a key; None where the caller may order nothing, or it was revoked."""
    return _group(_shown(request, OF_KEYS, key, f"access/keys/{key.name}"), f"Orders on key {key.name}")


def link_buttons(request: Request, study: str, share: Share) -> Html | None:
    """The button that revokes a link to the study; None where the caller may not, or it has ended."""
    return _group(_shown(request, OF_SHARES, share, f"studies/{study}/links/{share.id}"), f"Orders on link {share.id}")


def _shown(request: Request, orders: Sequence[Order[Thing]], thing: Thing, about: str) -> list[Html]:
    caller = caller_of(request)
    return [_button(request, order, thing, about) for order in orders if caller.may(order.role) and order.suits(thing)]


def _button(request: Request, order: Order[Thing], thing: Thing, about: str) -> Html:
    """A button that gives the order, or one that opens the order's dialogue.

    A popover needs no script, and the browser gives it its keys: Escape closes it.
    """
    address, back = f"{about}/orders/{order.name}", here(request)
    if not order.asks:
        button = element("button", order.word, type="submit", class_="button", title=order.says)
        return element("form", button, *hidden(request, back), method="post", action=address)
    identity = f"order-{re.sub('[^A-Za-z0-9_-]', '_', address)}"
    opener = element("button", order.word, type="button", popovertarget=identity, class_="button")
    title = element("h2", order.word, id=f"{identity}-title")
    closer = element(
        "button", "Close", type="button", popovertarget=identity, popovertargetaction="hide", class_="button close"
    )
    form = Sheet(order, address, thing, back).form(request, title=title)
    dialogue = element(
        "dialog", form, closer, id=identity, popover="auto", aria_labelledby=f"{identity}-title", class_="card sheet"
    )
    return element("div", opener, dialogue)


def _group(shown: Sequence[Html], label: str) -> Html | None:
    return element("div", *shown, class_="orders", role="group", aria_label=label) if shown else None
