"""The elements that every part of a report is made of."""

from collections.abc import Iterable

from service.reports.charts.look import look_of
from service.reports.markup import Content, Html, element
from service.reports.sections.swatch import swatch_of


def section(title: str, *contents: Content) -> Html:
    return element("section", element("h2", title), *contents)


def note(*contents: Content) -> Html:
    """A remark in small print."""
    return element("p", *contents, class_="note")


def warning(*contents: Content) -> Html:
    """A remark that must not be overlooked."""
    return element("p", *contents, class_="warning")


def facts(pairs: Iterable[tuple[str, Content]]) -> Html:
    """Names and values side by side, as many on a line as fit."""
    shown = (element("div", element("dt", name), element("dd", value)) for name, value in pairs)
    return element("dl", *shown, class_="facts")


def tag(variant: str, name: str | None = None) -> Html:
    """A variant's name, or another one for it, with its look in the charts."""
    return element("span", swatch_of(look_of(variant)), name or variant, class_="variant")
