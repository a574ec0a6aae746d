"""What a notebook shows: plain HTML without scripts, and every text escaped."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from typing import Any

from pernodedrop.visible import visible

MOST_ROWS = 60


def text(said: object) -> str:
    """A text that HTML cannot obey, in one line."""
    return escape(visible(str(said)))


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table; of a long one the first rows."""
    shown = rows[:MOST_ROWS]
    above = "".join(f"<th>{text(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{text(cell(value))}</td>' for value in row)}</tr>" for row in shown)
    more = f"<p>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    return f"<table><thead><tr>{above}</tr></thead><tbody>{body}</tbody></table>{more}"


def cell(value: Any) -> str:
    """A value of a table: a number at four significant digits, a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(cell(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def bar(done: int, total: int) -> str:
    """A bar of progress and its numbers."""
    return f'<progress value="{done}" max="{max(total, 1)}"></progress> {done} of {total}'


def picture(svg: bytes, caption: str) -> str:
    """A picture as an image, in which no script runs."""
    encoded = b64encode(svg).decode("ascii")
    said = text(caption)
    return (
        f'<figure><img alt="{said}" src="data:image/svg+xml;base64,{encoded}"><figcaption>{said}</figcaption></figure>'
    )
