"""docs/linear-networks.md: its example runs, and its tables are what the functions compute."""

import re
from pathlib import Path

import pytest

from benchmarks.linear_networks import BEGIN, END, IMAGES, PAGE, known

TEXT = PAGE.read_text()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(example, {})
    rank, gap, excess, imbalance = map(float, capsys.readouterr().out.split())
    assert 1 <= rank <= 4
    assert max(gap, abs(excess), imbalance) < 1e-9


def test_the_table_of_the_known_optima_is_current() -> None:
    written = TEXT.partition(BEGIN.format("known"))[2].partition(END.format("known"))[0]
    assert written.strip() == known(), "run `python -m benchmarks.linear_networks`"


def test_the_pictures_are_there_and_small() -> None:
    named = re.findall(r"\(images/([\w-]+\.svg)\)", TEXT)
    assert sorted(named) == sorted(path.name for path in Path(IMAGES).glob("linear-networks-*.svg"))
    assert all((IMAGES / name).stat().st_size < 100_000 for name in named)
