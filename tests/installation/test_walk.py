"""The walk of docs/walk.md, from the wheel to a prediction: it still works, and the page has its commands."""

import re
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.walk import own_lines, walk
from tests.installation.distributions import Distributions
from tests.installation.environments import ROOT, SECONDS

pytest.importorskip("pernodedrop.client")

pytestmark = [pytest.mark.wide, pytest.mark.timeout(2 * SECONDS), pytest.mark.xdist_group("distributions")]

PREDICTED = re.compile(r"(\[[\d, ]+\]) where it is (\[[\d, ]+\])")


@pytest.fixture
def folder() -> Iterator[Path]:
    """An open folder: pytest's are closed to the account that root hands Postgres to."""
    made = Path(tempfile.mkdtemp(prefix="walk-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def commands(text: str) -> list[str]:
    """The commands of a page, without the options that say where its packages came from."""
    found = [command.replace("--no-deps ", "") for command in re.findall(r"^\$ (.+?) +# ", text, flags=re.MULTILINE)]
    return [command for command in found if not command.endswith("-m venv .venv")]


def test_the_walk_ends_with_predictions(distributions: Distributions, folder: Path) -> None:
    assert own_lines() < 10
    made = walk(distributions.wheel, folder, Path(sysconfig.get_path("purelib")))
    page = "\n".join(made.page)
    predicted = PREDICTED.findall(page)
    assert len(predicted) == 2
    for said, true in predicted:
        digits = list(zip(said.split(", "), true.split(", "), strict=True))
        assert sum(mine == theirs for mine, theirs in digits) >= 6  # of eight; a guess has one
    assert commands(page) == commands((ROOT / "docs" / "walk.md").read_text())
