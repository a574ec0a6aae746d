"""Definitions of earlier releases go on being read, and mean what they said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from search_spaces import parse_definition
from search_spaces.budget import seconds
from search_spaces.yaml_text import read_yaml

GOLDEN = sorted(Path(__file__).parent.glob("golden/*/*.yaml"))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_definition_of_an_earlier_release_says_what_it_said(file: Path) -> None:
    written = read_yaml(file.read_bytes())
    read = parse_definition(written).model_dump(mode="json")
    if "seed" in written.get("sampler", {}) and "seed" not in written:  # the study's own, since studies have one
        written["seed"] = written["sampler"].pop("seed")
    for limit in {"wall_time", "trial_timeout"} & {*written.get("budget", {})}:
        written["budget"][limit] = seconds(written["budget"][limit])
    assert list(_changed(written, read)) == []


def test_a_part_that_means_something_else_is_found() -> None:
    written = {"task": {"name": "digits"}, "fixed": {"units": 64}, "seed": 1}
    assert list(_changed(written, {"task": {"name": "rcv1"}, "fixed": {"units": 64.0}})) == ["task.name", "seed"]


def _changed(written: Any, read: Any, place: str = "") -> Iterator[str]:
    """The places where what was written is not what was read. What was not written may have any value."""
    if isinstance(written, dict) and isinstance(read, dict):
        for key, value in written.items():
            at = f"{place}.{key}".lstrip(".")
            yield from [at] if key not in read else _changed(value, read[key], at)
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for index, value in enumerate(written):
            yield from _changed(value, read[index], f"{place}[{index}]")
    elif read not in (written, [written]):  # a condition on one value is written without brackets
        yield place
