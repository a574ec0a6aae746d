"""Single values of a text are changed, and nothing else of it; places say where each key stands."""

import difflib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from search_spaces.editing import LEFT_OUT, NotEditable, edited
from search_spaces.growing import LONGEST_PATH, MOST_PLACES, Place, place_of
from search_spaces.presets import preset_names, preset_text
from search_spaces.yaml_text import NotYaml, read_yaml


@pytest.mark.parametrize("preset", preset_names())
def test_a_change_leaves_the_other_lines_as_they_are(preset: str) -> None:
    text = preset_text(preset)
    changes = {("name",): "other", ("task", "epochs"): 77, ("priority",): -2}
    new = edited(text, changes)
    found = list(difflib.unified_diff(text.splitlines(), new.splitlines(), lineterm="", n=0))[2:]
    assert len([line for line in found if line.startswith("-")]) == 2
    assert read_yaml(new) == {
        **read_yaml(text),
        "name": "other",
        "priority": -2,
        "task": {**read_yaml(text)["task"], "epochs": 77},
    }
    for line in text.splitlines():
        assert "#" not in line or line.rpartition("#")[2] in new


def test_what_is_left_out_and_what_is_new() -> None:
    text = "a: {b: 1, c: [x, y]}  # why\nd:\n  - 1\n  - 2\n"
    assert read_yaml(edited(text, {("a", "b"): LEFT_OUT})) == {"a": {"c": ["x", "y"]}, "d": [1, 2]}
    assert "# why" in edited(text, {("a", "b"): LEFT_OUT})
    assert read_yaml(edited(text, {("a", "b"): LEFT_OUT, ("a", "c"): LEFT_OUT})) == {"d": [1, 2]}
    assert read_yaml(edited(text, {("e", "f"): 1.5, ("g",): ["x", "1"]}))["e"] == {"f": 1.5}
    assert read_yaml(edited(text, {("d",): [3]}))["d"] == [3]
    assert edited(text, {("none", "there"): LEFT_OUT}) == text
    assert edited('{"a": 1}', {("b",): [2]}) == '{\n  "a": 1,\n  "b": [\n    2\n  ]\n}\n'


@pytest.mark.parametrize("text", ["- 1", "", "a: 1\nb: {c: *x}", "a: &x {c: 1}\nb: *x\n", "a: 1\n---\nb: 2"])
def test_what_cannot_be_changed_is_refused(text: str) -> None:
    with pytest.raises((NotEditable, NotYaml)):
        edited(text, {("b", "c"): 2, ("a", "c"): 3})


@example("?0")
@given(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()))
def test_any_text_is_written_so_that_it_is_read_again(value: str) -> None:
    for text in ("a: {b: x}  # c\n", "a:\n  b: x\n", "a: {b: [x]}\n"):
        assert read_yaml(edited(text, {("a", "b"): [value, "y"]})) == {"a": {"b": [value, "y"]}}
        assert read_yaml(edited(text, {("a", "b"): value})) == {"a": {"b": value}}


def test_places_of_keys_and_entries() -> None:
    for text in ("a:\n  b: [x,\n    {c: 1}]\n", '{"a":\n  {"b": ["x",\n    {"c": 1}]}}'):
        places: dict[str, Place] = {}
        read_yaml(text, places)
        assert set(places) == {"a", "a.b", "a.b.0", "a.b.1", "a.b.1.c"}
        assert [place_of(path, places).line for path in ("a", "a.b", "a.b.1.c", "a.b.9.z")] == [1, 2, 3, 2]  # type: ignore[union-attr]
        assert place_of("z", places) is None


def test_places_of_a_hostile_text_are_bounded() -> None:
    places: dict[str, Place] = {}
    deep = "".join(f"{'  ' * level}{'k' * 200}:\n" for level in range(20))
    read_yaml(f"{deep}{'  ' * 20}a: 1\n", places)
    assert all(len(path) <= LONGEST_PATH for path in places)
    read_yaml("[" + ", ".join(["1"] * (MOST_PLACES + 100)) + "]", places)
    assert len(places) == MOST_PLACES
