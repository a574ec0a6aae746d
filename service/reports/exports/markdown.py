"""Tables and texts as Markdown, which cannot be broken by a name."""

import re

from pernodedrop.visible import visible
from service.reports.exports.text_table import TextTable

SPECIAL = re.compile(r"([\\`*\[\]<>|#~&$])")


def markdown_of(table: TextTable) -> bytes:
    """The table as GitHub's Markdown in UTF-8, with its title before it and its notes behind it."""
    lines = [f"**{escaped(table.title)}**", ""]
    if table.rows:
        rules = ["---"] * table.words + ["---:"] * (len(table.header) - table.words)
        rows = (tuple(map(escaped, row)) for row in (table.header, *table.rows))
        header, *body = (f"| {' | '.join(cells)} |" for cells in rows)
        lines += [header, f"| {' | '.join(rules)} |", *body, ""]
    lines += [escaped(note) for note in table.notes]
    return ("\n".join(lines) + "\n").encode()


def escaped(text: str) -> str:
    """The text on one line, such that Markdown shows it as it is."""
    shown = SPECIAL.sub(r"\\\1", visible(text))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", shown)  # within a word it is plain
