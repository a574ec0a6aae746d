"""The fenced blocks of the pages, and what the page's source says of how each is run.

A comment of one line in front of a block says it, for example `<!-- example: with model, x -->`:

| comment | python | yaml | sh |
| --- | --- | --- | --- |
| none | it runs by itself | it is a whole definition | a mistake: commands need one of the others |
| `with NAME, ...` | it runs with these names of `tests/documentation/names.py` | | |
| `part of a study` | | it completes the preset quickstart to a definition | |
| `on a served study` | it runs on a real stack, which has the complete study my-study | | as python |
| `on a paused study` | the same, while trials of my-study wait | | as python |
| `not run: REASON` | it is parsed | it is read | its commands, options and files are there |

Where the reason names a file below tests/, that file must be there.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LANGUAGES = ("python", "yaml", "sh")
OTHERS = {"", "console", "csv", "diff", "html", "http", "json", "sql", "text", "toml"}  # nobody runs them
SERVED = "on a served study"
PAUSED = "on a paused study"
PART = "part of a study"
NOT_RUN = "not run: "
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"<!-- example: (.+) -->\n+ *$")


@dataclass(frozen=True)
class Block:
    """A fenced block, with the words of the comment in front of it."""

    page: Path
    line: int
    language: str
    text: str
    said: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def names(self) -> list[str]:
        """The names that the block is given."""
        return self.said.removeprefix("with ").split(", ") if self.said.startswith("with ") else []


def pages() -> list[Path]:
    """Every page that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        marker = _MARKER.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        said = marker[1] if marker else ""
        found.append(Block(page, line, match[2], textwrap.dedent(match[3]), said))
    return found


def blocks(*languages: str) -> list[Block]:
    """The blocks of all pages in these languages."""
    return [block for page in pages() for block in blocks_of(page) if block.language in languages]
