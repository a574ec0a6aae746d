"""Every example of the pages and of docs/examples runs, or its page says why not."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from search_spaces import StudyDefinition, load_preset, parse_definition
from search_spaces.yaml_text import read_yaml
from tests.documentation.blocks import (
    LANGUAGES,
    NOT_RUN,
    OTHERS,
    PART,
    PAUSED,
    ROOT,
    SERVED,
    Block,
    blocks,
    blocks_of,
    pages,
)
from tests.documentation.command_lines import commands, flaw
from tests.documentation.names import given

EXAMPLES = ROOT / "docs" / "examples"
ALLOWED = {"python": (SERVED, PAUSED), "yaml": (PART,), "sh": (SERVED, PAUSED)}


def of(language: str) -> list[Block]:
    return blocks(language)


def definition_in(block: Block) -> StudyDefinition:
    data = read_yaml(block.text)
    return parse_definition(load_preset("quickstart") | data if block.said == PART else data)


def says_too_little(block: Block) -> str | None:
    """What the comment in front of the block lacks, or None."""
    if block.said.startswith(NOT_RUN):
        named = re.findall(r"tests/[\w./]+", block.said)
        lacking = [name for name in named if not (ROOT / name.rstrip(".")).exists()]
        return f"there is no {', '.join(lacking)}" if lacking else None
    if block.said in ALLOWED[block.language] or block.names:
        return None
    if block.said:
        return f"nobody knows what {block.said!r} means: tests/documentation/blocks.py lists what there is"
    if block.language == "sh":
        return "it says neither how it is run nor why it is not: tests/documentation/blocks.py lists what to say"
    return None


def test_every_block_has_a_language_that_is_known() -> None:
    found = [block for page in pages() for block in blocks_of(page)]
    assert {str(block): block.language for block in found if block.language not in {*LANGUAGES, *OTHERS}} == {}
    command = re.compile(r"^(\.venv/bin/)?(pernodedrop|make|python|pip|docker|curl) ", flags=re.MULTILINE)
    assert [str(block) for block in found if not block.language and command.search(block.text)] == []


def test_every_fence_is_read() -> None:
    """A fence that the reader does not see would hide its block from all other tests."""
    for page in pages():
        fences = len(re.findall(r"^ *```", page.read_text(), flags=re.MULTILINE))
        assert fences == 2 * len(blocks_of(page)), page


def test_every_block_says_how_it_is_run_or_why_not() -> None:
    said = {str(block): says_too_little(block) for block in blocks(*LANGUAGES)}
    assert {place: words for place, words in said.items() if words} == {}


def test_a_block_without_a_word_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "Text.\n\n```sh\npernodedrop serve\n```\n\n<!-- example: not run: tests/none.py does -->\n\n```sh\nls\n```\n"
    )
    silent, lost = blocks_of(page)
    assert "neither how it is run" in (says_too_little(silent) or "")
    assert says_too_little(lost) == "there is no tests/none.py"


def costed(block: Block) -> ParameterSet:
    """The block as a parameter; one that takes seconds is tried with everything of its kind."""
    marks = [pytest.mark.wide] if block.page.name == "curvature.md" else []
    return pytest.param(block, marks=marks, id=str(block))


@pytest.mark.parametrize("block", [costed(block) for block in of("python")])
def test_python(block: Block, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if block.said.startswith(NOT_RUN):
        ast.parse(block.text, str(block))  # it may be the lines of a function
        return
    code = compile(block.text, str(block), "exec")
    if block.said not in ALLOWED["python"]:
        monkeypatch.chdir(tmp_path)
        exec(code, given(block.names))


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml(block: Block) -> None:
    if block.said.startswith(NOT_RUN):
        read_yaml(block.text)
    else:
        definition_in(block)


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_commands_are_there(block: Block) -> None:
    flaws = [found for words in commands(block) if (found := flaw(words))]
    assert flaws == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("make runn", "the Makefile has no runn"),
        ("A=b .venv/bin/pernodedrop submitt x.yaml | cat", "`pernodedrop` has no command 'submitt'"),
        ("cat x && pernodedrop report s --too o", "`pernodedrop report`: No such option: --too"),
        ("python -m benchmarks.nothing", "there is no benchmarks/nothing.py"),
        ("python benchmarks/chaos.py --seconds 5", "benchmarks/chaos.py does not know --seconds"),
    ],
)
def test_a_wrong_command_is_found(line: str, said: str) -> None:
    [found] = [found for words in commands(Block(ROOT, 1, "sh", line, "")) if (found := flaw(words))]
    assert found.startswith(said)


def test_every_file_of_the_examples_is_run() -> None:
    """A definition is read here, and test_served.py trains it; a program is its task, or a test names it."""
    definitions = [*EXAMPLES.glob("*.yaml")]
    tasks = {parse_definition(read_yaml(path.read_text())).task.name.partition(":")[0] for path in definitions}
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    rest = {path for path in EXAMPLES.rglob("*.*") if path.suffix in {".py", ".ipynb"}}
    places = {path: path.relative_to(EXAMPLES).parts[0] for path in rest}  # a test may run a folder's files together
    named = {path for path, place in places.items() if place in tests or f'"{path.stem}:' in tests}
    assert {str(path) for path in rest - named if path.stem not in tasks} == set()


def test_most_examples_run() -> None:
    """A suite whose blocks all say `not run` would show nothing."""
    counted = Counter(
        block.said.startswith(NOT_RUN) for block in blocks("python", "yaml") if block.page.name != "walk.md"
    )
    assert counted[False] > 2 * counted[True]
