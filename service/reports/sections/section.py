"""The elements that every part of a report is made of."""

from collections.abc import Iterable

from service.reports.markup import Content, Html, element


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


def tag(variant: str, colour: str) -> Html:
    """A variant's name with its colour, as it is in the charts."""
    swatch = element("span", class_="swatch", style=f"background:{colour}")
    return element("span", swatch, variant, class_="variant")
