"""Tables as LaTeX, for the package booktabs."""

import re
import unicodedata
from collections.abc import Sequence

from pernodedrop.visible import visible
from service.reports.exports.text_table import TextTable

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "`": r"\symbol{96}",
    "[": "{[}",  # behind the end of a row it would begin an option of it, as would a star
    "*": "{*}",
}
SIGNED = re.compile(r"(?:(?<![\w.])|(?<=\de))([+-])(?=\d)")  # of a number or its exponent


def latex_of(table: TextTable, label: str) -> bytes:
    """A floating table in UTF-8, with a caption and `label` (letters, digits, dots, hyphens); needs booktabs."""
    columns = "l" * table.words + "r" * (len(table.header) - table.words)
    header, *rows = (_lines(row) for row in (table.header, *table.rows))
    caption = " ".join(escaped(said) for said in (f"{table.title}.", *table.notes))
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{label}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *header,
        r"\midrule",
        *(line for row in rows for line in row),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return ("\n".join(lines) + "\n").encode()


def _lines(row: Sequence[str]) -> list[str]:
    """A row of the table, with a line below it for what stands below, and a little space behind that."""
    parts = [cell.partition("\n")[::2] for cell in row]
    lines = [" & ".join(escaped(above) for above, _ in parts) + r" \\"]
    if any(below for _, below in parts):
        lines += [" & ".join(escaped(below) for _, below in parts) + r" \\", r"\addlinespace"]
    return lines


def escaped(text: str) -> str:
    """The text such that LaTeX, of any engine and without further packages, shows it as it is.

    A sign before a number becomes a minus or plus of mathematics; letters beyond Latin-1, which a font may lack, are
    named by their code point.
    """
    written = "".join(SPECIAL.get(character, _plain(character)) for character in visible(text))
    return SIGNED.sub(r"$\1$", written).replace("--", "-{}-")  # two hyphens would become a dash


def _plain(character: str) -> str:
    if character.isascii() or (ord(character) < 256 and unicodedata.category(character).startswith("L")):
        return character
    return f"U+{ord(character):04X}"
