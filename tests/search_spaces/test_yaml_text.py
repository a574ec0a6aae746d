"""A small text of YAML cannot become much: every bound is refused in one line, before anything is built."""

import pytest

from search_spaces.yaml_text import DEEPEST, LONGEST_VALUE, MOST_ALIASES, NotYaml, read_yaml


def doubled(first: str, template: str) -> str:
    """Ten levels, each of which names the one before it nine times."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, 11):
        names = ",".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {template.replace('NAMES', names)}")
    return "\n".join(lines)


BOMBS = {
    "lists": (doubled("[x,x,x,x,x,x,x,x,x]", "[NAMES]"), "what its aliases"),
    "merged mappings": (doubled("{x: 1}", "{<<: [NAMES], y: 1}"), "what its aliases"),
    "an alias of itself": ("a: &a [*a]", "for itself"),
    "an alias of itself under a name used before": ("b: &a 1\na: &a [*a]", "for itself"),
    "an alias of nothing": ("a: *b", "nothing before it"),
    "aliases": (f"a: &a 1\nb: [{'*a,' * (MOST_ALIASES + 1)}]", "at most 1,000 aliases"),
    "values": (f"[{'1,' * 500_001}]", "at most 500,000 values"),
    "brackets": ("[" * 1_000_000, "levels deep"),
    "braces": ("{a: " * 200_000, "levels deep"),
    "dashes": ("- " * 400_000, "levels deep"),
    "a long text": (f"a: {'x' * (LONGEST_VALUE + 1)}", "at most 4,000 characters"),
    "a number with minutes": (f"a: 1{':11' * 300_000}", "at most 4,000 characters"),
    "a hexadecimal number": (f"a: 0x{'f' * 3990}", "JSON cannot say it"),
    "a date that is none": ("a: 2026-99-99", "month must be in"),
    "a key that is a list": ("? [1]\n: 2", "unhashable key"),
    "an object of Python": ("!!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "bytes of no text": (b"\xff\xfe\x00", "UTF-16"),
    "two documents": ("a: 1\n---\nb: 2", "another document"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_grows_is_refused_in_one_line(name: str) -> None:
    text, rule = BOMBS[name]
    with pytest.raises(NotYaml, match=rule) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)


def test_aliases_that_stand_for_little_are_read() -> None:
    assert read_yaml("a: &a {low: 0, high: 1}\nb: *a\nc: {<<: *a, high: 2}") == {
        "a": {"low": 0, "high": 1},
        "b": {"low": 0, "high": 1},
        "c": {"low": 0, "high": 2},
    }
    nested = "[" * DEEPEST + "]" * DEEPEST
    assert str(read_yaml(nested)) == nested


def test_json_is_read_as_it_is() -> None:
    text = '{"a": [1, 2.5, true, null, "x\\u00e9"], "b": {"c": "1e5"}}'
    assert read_yaml(text.encode()) == {"a": [1, 2.5, True, None, "xé"], "b": {"c": "1e5"}}
