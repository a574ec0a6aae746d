"""Text from people is read by YAML 1.2's rules, and what is ambiguous or too much is refused in one line."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from search_spaces import growing
from search_spaces.growing import DEEPEST, LONGEST_VALUE, MOST_ALIASES
from search_spaces.json_text import Malformed, read_json
from search_spaces.yaml_text import MOST_WRITTEN, NotYaml, read_yaml, written

ROOT = Path(__file__).parents[2]


def doubled(first: str, template: str) -> str:
    """Ten levels, each of which names the one before it nine times."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, 11):
        names = ",".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} {template.replace('NAMES', names)}")
    return "\n".join(lines)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    # what grows
    "lists": (doubled("[x,x,x,x,x,x,x,x,x]", "[NAMES]"), "line 6, column 10: .* what its aliases"),
    "merged mappings": (doubled("{x: 1}", "{<<: [NAMES], y: 1}"), "what its aliases"),
    "an alias of itself": ("a: &a [*a]", "line 1, column 8: .* for itself"),
    "an alias of itself under a name used before": ("b: &a 1\na: &a [*a]", "for itself"),
    "an alias of nothing": ("a: *b", "nothing before it"),
    "aliases": (f"a: &a 1\nb: [{'*a,' * (MOST_ALIASES + 1)}]", "at most 1,000 aliases"),
    "brackets": ("[" * 200_000, "line 1, column 33: .* levels deep"),
    "braces": ("{a: " * 50_000, "levels deep"),
    "dashes": ("- " * 100_000, "levels deep"),
    "keys": ("\n".join(f"k{n}: {n}" for n in range(80_000)), "line .* at most 250,000 characters, .* as JSON"),
    "values": (f"a: [{'1,' * MOST_WRITTEN}]", "line 1, column .*: YAML must hold at most 10,000 values and keys: "),
    "lists in lists": (f"a: [{'[],' * MOST_WRITTEN}]", "at most 10,000 values and keys"),
    "comments": ("# x\n" * 100_000, "line 62501, column 1: YAML must have at most 250,000 characters, got 400,000: "),
    "a slip in long JSON": (f"[{'1,' * 200_000}\nx]", "line 2, column 1: this is no JSON, and YAML must have at most"),
    "a long text": (f"a: {'x' * (LONGEST_VALUE + 1)}", "line 1, column 4: .* at most 4,000 characters, got 4,001"),
    "a long text in JSON": (f'["{"x" * (LONGEST_VALUE + 1)}"]', "line 1, column 2: .* at most 4,000 characters"),
    "a long number": (f"[1, {'1' * 5000}]", "line 1, column 5: a number must have at most 400 characters, got 5,000"),
    "a hexadecimal number": (f"a: 0x{'f' * 390}", "is no finite number"),
    # what is said twice
    "a key": ("a: 1\nb: 2\na: 3", 'line 3, column 1: the key "a" stands at line 1, column 1 already: keep one'),
    "a key in a flow": ("{a: 1, b: [{c: 1, c: 1}]}", 'column 19: the key "c" stands at line 1, column 13 already'),
    "a key in JSON": ('{"a": 1,\n "b": 2, "\\u0061": 3}', 'line 2, column 10: the key "a" stands at line 1, column 2'),
    "a key in quotes": ("a: 1\n'a': 2", "line 2, column 1: the key"),
    "a key by an alias": ("- &a b\n- {b: 1, *a : 2}", "stands at line 2, column 4"),
    "a merge": ("a: &a {b: 1}\nc: {<<: *a, <<: *a}", "the key << stands at line 2, column 5 already"),
    # keys that are no text
    "a key that is a list": ("? [1]\n: 2", "line 1, column 3: a key must be text, got a list"),
    "a key that is a number": ("a: {1: 2}", "column 5: a key must be text, got 1: put it into quotes"),
    "a key that is nothing": ("~: 2", "got null: put it into quotes"),
    "a key that is true": ("true: 2", "got true: put it into quotes"),
    "a set": ("{32, 64}", "got 32: put it into quotes"),
    # what other programs make of it
    "infinity": ("a: .inf", "line 1, column 4: .inf is no finite number"),
    "not a number": ("[.NaN]", "line 1, column 2: .NaN is no finite number"),
    "a double that overflows": ('{"a": 1e999}', "line 1, column 7: 1e999 is no finite number"),
    "an object of Python": ("!!python/object/apply:os.system [ls]", "the tag !!python/object/apply:os.system means"),
    "bytes": ("a: !!binary aGVsbG8=", "line 1, column 4: the tag !!binary means nothing in a definition: leave it out"),
    "a tag that does not suit": ("a: !!int x", "the tag !!int does not suit 'x': leave it out"),
    "a tag of one's own": ("a: !mine {}", "the tag !mine means nothing"),
    "YAML 1.1": ("%YAML 1.1\n---\na: no", "read as YAML 1.2: leave the line %YAML out"),
    "two documents": ("a: 1\n---\nb: 2", "line 2, column 1: another document begins"),
    "a merge of a number": ("a: {<<: 3}", "<< must have objects, .* got 3"),
    # no YAML
    "a tab": ("a:\n\tb: 1", "line 2, column 1: found character .* indent with spaces"),
    "a colon": ("a: b: 1", "line 1, column 5: mapping values are not allowed here: put text that has a colon"),
    "an open list": ("a: [1,\nb: 2", r"line \d, column \d+: "),
    "half of a character": (r'"\ud800"', "line 1, column 1: it holds half a character"),
    "half of a character in YAML": (r'a: "\ud800"', "line 1, column 4: it holds half a character"),
    "a character beyond Unicode": (r'a: "\UFFFFFFFF"', "line 1, column 2: what follows is no YAML"),
    "a byte of an argument": (
        "a: x\udcff",
        r"line 1, column 5: the character U\+DCFF must not stand in YAML: remove it",
    ),
    "NUL": ("a: 1\nb: \0", r"line 2, column 4: the character U\+0000 must not stand in YAML"),
    "bytes of no text": (b"\xff\xfe\x00", "line 1, column 1: the byte 0x00 is no UTF-16: save it as UTF-8"),
    "Latin-1": ("a: 1\nb: Größe".encode("latin-1"), "line 2, column 6: the byte 0xf6 is no UTF-8: save it as UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_count_is_refused_in_one_line_with_its_place(name: str) -> None:
    text, rule = REFUSED[name]
    with pytest.raises(NotYaml, match=rule) as caught:
        read_yaml(text)
    assert re.fullmatch(r"line \d+, column \d+: .{,300}", str(caught.value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (word, word)
            for word in ("no", "yes", "on", "off", "y", "N", "1:30", "2026-02-30", "2026-01-31", "inf", "nan")
        ),
        *(
            (word, word)
            for word in ("1_000", "0b11", "0O7", "-0x1", "+.", "1e", "--1", "=", "NaN", "1.2.3", "٣", "tRue")
        ),
        *((word, 1e-05) for word in ("1e-5", "1E-05", ".1e-4", "0.00001", "+1.e-5")),
        *((word, 14) for word in ("14", "014", "+14", "0o16", "0xE")),
        *((word, None) for word in ("", "~", "null", "NULL", "# a comment")),
        *((word, True) for word in ("true", "True", "TRUE")),
        ("1e2", 100.0),
        ("-0.0", -0.0),
        ("'1e2'", "1e2"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!float 5", 5.0),
        ("<<", "<<"),
        ("|\n  1\n  2\n", "1\n2\n"),
        ("[a, [], {}]", ["a", [], {}]),
        ("%YAML 1.2\n---\na: 1", {"a": 1}),
        ('"\\ud83d\\ude80 \\/"', "\U0001f680 /"),
        ('{"<<": {"a": 1}}', {"<<": {"a": 1}}),
        ('{"a":\t1}', {"a": 1}),
    ],
)
def test_a_scalar_is_what_the_core_schema_says(text: str, value: Any) -> None:
    read = read_yaml(text)
    assert (type(read), str(read)) == (type(value), str(value))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("text", ["name: Größe\n", '{"name": "Größe"}', "name: Größe\r\n"])
def test_the_first_bytes_show_the_encoding(text: str, encoding: str) -> None:
    assert read_yaml(text.encode(encoding)) == {"name": "Größe"}


@pytest.mark.parametrize("text", ["[{}]", "[{}] # no JSON"])
def test_values_are_counted_without_aliases_too(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(growing, "MOST_VALUES", 1000)
    assert read_yaml(text.format(",".join("1" * 999))) == [1] * 999
    with pytest.raises(NotYaml, match="column 2000: it must hold at most 1,000 values"):
        read_yaml(text.format(",".join("1" * 1000)))


def test_yaml_may_hold_ten_thousand_values_and_json_more() -> None:
    most = f"a: [{'1, ' * (MOST_WRITTEN - 4)}1]"  # beside the object, its key and the list
    assert len(read_yaml(most)["a"]) == MOST_WRITTEN - 3
    assert len(read_yaml(f"[{'1, ' * 90_000}1]")) == 90_001


def test_an_alias_is_a_copy_and_a_merge_gives_way() -> None:
    read = read_yaml("a: &a {low: 0, high: [1]}\nb: *a\nc: {<<: *a, high: 2}\nd: {step: 1, <<: [*a, {low: 3, x: 4}]}")
    low = {"low": 0, "high": [1]}
    assert read == {"a": low, "b": low, "c": {"low": 0, "high": 2}, "d": {"step": 1, **low, "x": 4}}
    read["a"]["high"].append(2)
    read["a"]["low"] = 1
    assert (read["b"], read["d"]["high"]) == (low, [1])
    nested = "[" * DEEPEST + "]" * DEEPEST
    assert str(read_yaml(nested)) == nested


def test_json_is_read_as_it_is() -> None:
    text = '{"a": [1, 2.5, true, null, "x\\u00e9"], "b": {"c": "1e5"}}'
    assert read_yaml(text.encode()) == read_json(text) == {"a": [1, 2.5, True, None, "xé"], "b": {"c": "1e5"}}
    for constant in ("NaN", "Infinity", "-Infinity"):
        with pytest.raises(Malformed, match=f"^line 2, column 2: {constant} is no finite number"):
            read_json(f'["{constant}",\n {constant}]')


def _json_value(random: Random, depth: int = 0) -> Any:
    """Any JSON value, of what readers differ in."""
    texts = [
        "",
        "a",
        "<<",
        "no",
        "1e5",
        "~",
        "a: b",
        "#",
        "\t",
        "\\/",
        "\x7f\u2028\xa0",
        "\U0001f680",
        "'\"",
        "-",
        "null",
        "\n",
    ]
    kind = random.randrange(6 if depth < 4 else 4)
    if kind == 0:
        return random.choice([True, False, None])
    if kind == 1:
        return random.choice([0, -0.0, 1e-05, -7, 1e300, 5e-324, 2**53 + 1, 10**300, 0.1, 1e16])
    if kind in (2, 3):
        return "".join(random.choices(texts, k=random.randrange(3)))
    values = [_json_value(random, depth + 1) for _ in range(random.randrange(4))]
    return values if kind == 4 else {random.choice(texts) + str(place): value for place, value in enumerate(values)}


def _differently_written(random: Random, value: Any) -> str:
    indent, between = random.choice([None, 0, 1, "\t"]), random.choice([(",", ":"), (", ", ": "), (" ,", " : ")])
    text = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=indent, separators=between)
    return text.replace("/", random.choice(["/", "\\/"])) if "\\/" not in text and "\\\\" not in text else text


def agreeing(seed: int, count: int) -> int:
    """Compare the readers of JSON and of YAML on random JSON; returns how many texts the one of YAML took."""
    random, taken = Random(seed), 0
    for _ in range(count):
        value = _json_value(random)
        text = _differently_written(random, value)
        assert repr(read_yaml(text)) == repr(json.loads(text)), text
        try:
            as_yaml = read_yaml(f"{text} # no JSON")
        except NotYaml:  # a tab between tokens, a line feed before a colon
            continue
        assert repr(as_yaml) == repr(json.loads(text)), text
        taken += 1
    return taken


def test_both_readers_agree_on_json() -> None:
    assert agreeing(seed=1, count=300) > 150


@pytest.mark.wide
def test_both_readers_agree_on_much_json() -> None:
    assert agreeing(seed=2, count=15_000) > 7_500


@pytest.mark.parametrize(
    "value",
    [
        "dropout",
        "1e-5",
        "no",
        "true",
        "014",
        "0o14",
        "",
        " a",
        "a: b",
        "a #b",
        "é",
        "-",
        "'",
        '"',
        "\n",
        1e-05,
        3,
        True,
    ],
)
def test_a_value_is_written_so_that_it_is_read_as_the_same(value: Any) -> None:
    assert repr(read_yaml(f"fixed:\n  a: {written(value)}\n")["fixed"]["a"]) == repr(value)


@pytest.mark.parametrize("file", sorted((ROOT / "docs/examples").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_docs_examples_are_read(file: Path) -> None:
    assert read_yaml(file.read_bytes())["name"]
