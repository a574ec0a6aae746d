"""The form of an order: on a page of its own, or in a dialogue beside its button."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from service.dashboard.orders.given import BACK
from service.dashboard.orders.order import Field, Order
from service.dashboard.orders.outcomes import NUMBER, new_number
from service.dashboard.orders.tokens import FIELD, token_of
from service.dashboard.shell import page
from service.reports.markup import Html, element, with_commands


def hidden(request: Request, back: str | None = None) -> list[Html]:
    """What every form of ours has beside its fields."""
    values = {FIELD: token_of(request), NUMBER: new_number(), **({} if back is None else {BACK: back})}
    return [element("input", type="hidden", name=name, value=value) for name, value in values.items()]


@dataclass(frozen=True)
class Sheet:
    """An order's form: what it is about, and what stands in it."""

    order: Order[Any]
    address: str  # it is posted to, relative to our root
    thing: object  # the record of what it is about; None where there is none at hand
    back: str  # the page before
    typed: Mapping[str, str] = field(default_factory=dict)  # instead of what the thing has
    messages: Sequence[str] = ()  # why it was refused

    def form(self, request: Request, *, title: Html | None = None) -> Html:
        """The form."""
        order = self.order
        identity = f"order-{re.sub('[^A-Za-z0-9_-]', '_', self.address)}"
        fields = [each.shown(f"{identity}-{each.name}", self._value(each)) for each in order.fields]
        warning = element("p", "This cannot be undone.", class_="warning") if order.takes_away else None
        return element(
            "form",
            title,
            element("p", order.says),
            warning,
            *fields,
            *hidden(request, self.back),
            element("button", order.word, type="submit", class_="danger" if order.takes_away else None),
            method="post",
            action=self.address,
            class_="order",
        )

    def page(self, request: Request, about: str, status: int = 200) -> Response:
        """A page with the form, and with why it was refused."""
        messages = (element("p", with_commands(each), class_="complaint", role="alert") for each in self.messages)
        card = element(
            "section",
            element("p", element("a", about, href=self.back)),
            element("h1", self.order.word),
            *messages,
            self.form(request),
            element("p", element("a", "Back without", href=self.back)),
            class_="card sheet",
        )
        return page(request, f"{self.order.word}: {about}", element("main", card), status=status)

    def _value(self, of: Field[Any]) -> str:
        return self.typed.get(of.name, "" if self.thing is None else of.value(self.thing))
