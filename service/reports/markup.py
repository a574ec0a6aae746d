"""HTML that cannot forget to escape: text is escaped unless it is `Html`, and only this file makes `Html`."""

import html
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from pernodedrop.visible import visible_lines

VOID = frozenset({"meta", "link", "br", "hr", "img", "input"})


class Html(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()


Content = Html | str | int | float | None


def text(content: Content) -> Html:
    """The content as markup: `Html` unchanged, None as nothing, everything else escaped, invisible controls too."""
    if isinstance(content, Html):
        return content
    return Html("" if content is None else html.escape(visible_lines(str(content).expandtabs(1))))


def with_commands(sentence: str) -> Html:
    """A sentence of ours with its commands, which stand between backticks, as code; a single backtick stays."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return text(sentence)
    return join(element("code", part) if place % 2 else part for place, part in enumerate(parts))


def join(contents: Iterable[Content], separator: str = "") -> Html:
    """The contents one after the other."""
    return Html(html.escape(separator).join(text(content) for content in contents))


def element(tag: str, *contents: Content, **attributes: str | bool | None) -> Html:
    """`<tag attributes>contents</tag>`; `class_` is class, an underscore is a hyphen, None and False are left out."""
    given = "".join(
        f" {_attribute(name)}" if value is True else f' {_attribute(name)}="{html.escape(value)}"'
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in VOID:
        return Html(f"<{tag}{given}>")
    return Html(f"<{tag}{given}>{join(contents)}</{tag}>")


def json_block(data: Any, *, height: int | None = None) -> Html:
    """Data for the page's program, in an element that no browser executes and no text in it can end.

    `height` in px is that of what the program draws of it.

    Raises ValueError for NaN and infinity, which JSON does not have.
    """
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    safe = re.sub(r"[<>&\u2028\u2029]", lambda match: f"\\u{ord(match.group()):04x}", written)
    known = None if height is None else str(height)
    return element("script", Html(safe), type="application/json", data_height=known)


def program(source: str) -> Html:
    """A script of ours. Raises ValueError for a source that would end its own element."""
    if "</script" in source.lower() or "<!--" in source:
        raise ValueError("a program must not contain '</script' or '<!--'")
    return Html(f"<script>{source}</script>")


def stylesheet(source: str) -> Html:
    """A style sheet of ours."""
    return Html(f"<style>{source}</style>")


def document(head: Iterable[Html], body: Iterable[Html]) -> Html:
    """A complete page."""
    page = element("html", element("head", *head), element("body", *body), lang="en")
    return Html(f"<!doctype html>\n{page}\n")


def table(header: Sequence[Content], rows: Iterable[Sequence[Content]], *, words: int = 1) -> Html:
    """A table whose first `words` columns are words and whose others are numbers, aligned right."""

    def cells(tag: str, contents: Sequence[Content]) -> list[Html]:
        return [
            element(tag, content, class_=None if column < words else "number")
            for column, content in enumerate(contents)
        ]

    head = element("thead", element("tr", *cells("th", header)))
    body = element("tbody", *(element("tr", *cells("td", row)) for row in rows))
    # It may have to scroll sideways, which the keyboard can do where it can go.
    return element("div", element("table", head, body), class_="table", tabindex="0", role="group", aria_label="Table")


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")
