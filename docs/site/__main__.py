"""Writes the pages of the site: those of docs/, the repository's own, and those that are made from the code.

python docs/site build/pages
"""

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import commands  # noqa: E402
import look  # noqa: E402
import rest  # noqa: E402
import study_format  # noqa: E402

MADE = {"study-format.md": study_format.page, "commands.md": commands.page, "rest.md": rest.page}
OF_THE_ROOT = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
    "LICENSE": "license.md",
    "CITATION.cff": "citation.md",
}
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")


def write(folder: Path) -> None:
    """Write all pages into the folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("site", "__pycache__"))
    for page in folder.rglob("*.md"):
        page.write_text(_LINK.sub(lambda link: _from("docs", link), page.read_text()))
    for name, page_name in OF_THE_ROOT.items():
        text = (ROOT / name).read_text()
        if not name.endswith(".md"):
            text = f"# {name}\n\n```\n{text}```\n"
        (folder / page_name).write_text(_LINK.sub(lambda link: _from("", link), text))
    shutil.copy(Path(__file__).parent / "site.css", folder)
    (folder / "look.css").write_text(look.style_sheet())
    for page_name, page_of in MADE.items():
        (folder / page_name).write_text(page_of())


def _from(home: str, link: re.Match[str]) -> str:
    """A link of a page in the folder `home`, as it leads on the site; what is no page there becomes plain text."""
    said, target = link.groups()
    path, mark, anchor = target.partition("#")
    if re.match(r"[a-z]+:", target) or (home == "docs" and not path.startswith("..")):
        return link.group()
    path = path.removeprefix("../")
    said = re.sub(r"docs/([\w-]+)\.md", r"\1", said)
    if path in OF_THE_ROOT:
        return f"[{said}]({OF_THE_ROOT[path]}{mark}{anchor})"
    if path.startswith("docs/"):
        return f"[{said}]({path.removeprefix('docs/')}{mark}{anchor})"
    return said


if __name__ == "__main__":
    write(Path(sys.argv[1]))
