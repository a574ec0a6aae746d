"""A definition gets the same answer from a file, from --set and over REST: random texts by all three ways."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from search_spaces import InvalidDefinition, load_preset, parse_definition
from service.cli.definitions import apply, read_file
from service.cli.exit_codes import Failure
from service.web.bodies import MAX_BODY_BYTES

Answer = tuple[str, Any]  # "accepted" and the definition, "broken" and the rules, or "unreadable" and why

BASES = (
    '{"name": "fuzz", "task": {"name": "digits", "epochs": 2}, "seed": 3,\n'
    ' "search_space": {"drop_rate": {"type": "float", "low": 0.0, "high": 0.5, "step": 0.1}},\n'
    ' "fixed": {"learning_rate": 0.001, "units": 64}, "budget": {"trials": 3, "wall_time": "1h"}}\n',
    '{"name":"fuzz","description":"a \\u00e9 \\ud83d\\ude80 \\/","task":{"name":"digits"},"budget":{"trials":1e1},'
    '"search_space":{"regularizer":{"type":"categorical","choices":["none","dropout"]},"drop_rate":{"type":"float",'
    '"low":0,"high":5e-1,"when":{"regularizer":["dropout"]}}},"start_with":[{"regularizer":"none"}],"repeats":2}',
    "name: fuzz\ntask: {name: digits, epochs: 2}  # a comment\nsearch_space:\n"
    "  drop_rate: &range {type: float, low: 0, high: 0.5}\n  noisy_fraction: {<<: *range, high: 1}\n"
    "fixed: {regularizer: pernodedrop}\nbudget:\n  trials: 3\n  patience: 2\ndescription: |\n  text\n",
)
SCALARS = (
    *("1e-5", "1E400", "016", "0o17", "0x1F", "1:30", "2026-02-30", ".inf", "NaN", "Infinity", "1_000", "10.0", "-0"),
    *(
        "9" * 500,
        "no",
        "off",
        "~",
        "null",
        "True",
        '"1e-3"',
        "'x'",
        '"\\ud800"',
        '"\\u0000"',
        '"\\x41"',
        '"a\\\nb"',
        "é",
    ),
    *(
        "\U0001f680",
        "!!str 5",
        "!!binary aGk=",
        "!!set {a}",
        "*range",
        "&x 1",
        "<<",
        "[1, [2",
        "{a: 1, a: 2}",
        "{}",
        "[]",
    ),
    *("- 1", "|\n x", "#"),
)
INSERTED = (
    *("{", "}", "[", "]", ",", ":", '"', "'", "\\", "#", "&", "*", "!", "|", ">", "%", "@", "`", "-", "?", "~", " "),
    *("\t", "\r", "\n", "\ufeff", "\x00", "\x85", "\u2028", "---\n", "...\n", ": ", "- ", "<<: ", "[" * 40),
)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s\[\]{}",:]+')


def texts(seed: int, count: int) -> Iterator[bytes]:
    """Definitions with up to three slips each, the first of each kind without any."""
    random = Random(seed)
    for number in range(count):
        text = BASES[number % len(BASES)]
        for _ in range(0 if number < len(BASES) else random.randint(0, 3)):
            text = _slipped(random, text)
        encoding = random.choices(["utf-8", "utf-8-sig", "utf-16", "latin-1"], [40, 1, 1, 1])[0]
        yield text.encode(encoding, "replace")


def _slipped(random: Random, text: str) -> str:
    tokens = list(TOKEN.finditer(text))
    place = random.randrange(len(text) + 1)
    kind = random.randrange(5)
    if kind == 0 and tokens:  # another value
        token = random.choice(tokens)
        return text[: token.start()] + random.choice(SCALARS) + text[token.end() :]
    if kind == 1 and tokens:  # a name for another
        one, other = random.choice(tokens), random.choice(tokens)
        return text[: one.start()] + other[0] + text[one.end() :]
    if kind == 2:  # something twice: a line, or a part of one
        lines = re.split(r"(?<=[\n,])", text)
        copied = random.randrange(len(lines))
        return "".join([*lines[: copied + 1], lines[copied], *lines[copied + 1 :]])
    if kind == 3:
        return text[:place] + random.choice(INSERTED) + text[place:]
    return text[:place] + text[place + random.randint(1, 3) :]


def judged(definition: dict[str, Any]) -> Answer:
    try:
        return "accepted", parse_definition(definition).model_dump(mode="json")
    except InvalidDefinition as error:
        return "broken", str(error).splitlines()


def by_file(text: bytes, file: Path) -> tuple[Answer, dict[str, Any] | None]:
    """The answer, and the mapping that was read."""
    file.write_bytes(text)
    try:
        definition = read_file(file)
    except Failure as failure:
        return ("unreadable", str(failure).replace(str(file), "")), None
    return judged(definition), definition


def by_set(text: str) -> Answer:
    holder: dict[str, Any] = {}
    try:
        apply(holder, f"whole={text}")
    except Failure as failure:
        return "unreadable", str(failure)
    return judged(holder["whole"]) if isinstance(holder["whole"], dict) else ("unreadable", "no mapping")


def by_rest(api: httpx.Client, body: bytes) -> Answer:
    response = api.post("/v1/studies", content=body, headers={"Content-Type": "application/json"})
    said = response.json()
    match response.status_code:
        case 201:
            stored = api.get(f"/v1/studies/{said['name']}").json()["definition"]
            assert api.delete(f"/v1/studies/{said['name']}").status_code == 204
            return "accepted", stored
        case 503:  # there is no database: it was the rules that accepted it
            return "accepted", None
        case 422:
            return "broken", [line for problem in said["problems"] for line in problem["message"].splitlines()]
        case 400:
            return "unreadable", said["message"]
    raise AssertionError(f"{response.status_code}: {said}")


def check_the_same_answer(api: httpx.Client, text: bytes, file: Path) -> str:
    """Submit the text each way; returns the kind of answer."""
    (kind, found), definition = by_file(text, file)
    assert kind != "unreadable" or ("\n" not in found and len(found) < 500), found
    try:
        argument = text.decode()
    except UnicodeDecodeError:
        argument = None
    if argument is not None and not argument.startswith("\ufeff"):  # a shell has no byte order mark
        assert _told(by_set(argument)) == _told((kind, found))
    raw = by_rest(api, text)
    if raw[0] == "unreadable" and definition is not None:  # in YAML: a client sends what it says
        assert "not JSON: line " in raw[1]
        raw = by_rest(api, json.dumps(definition).encode())
    if raw != ("accepted", None):
        assert _told(raw) == _told((kind, found))
    assert raw[0] == kind
    return kind


def _told(answer: Answer) -> Answer:
    """The answer without the name of the way in; a text that is no JSON is told by its place and rule as YAML."""
    kind, found = answer
    return (kind, None) if kind == "unreadable" else (kind, found)


def kinds_of(api: httpx.Client, folder: Path, seed: int, count: int) -> set[str]:
    kinds = set()
    for number, text in enumerate(texts(seed, count)):
        assert len(text) < MAX_BODY_BYTES
        try:
            kinds.add(check_the_same_answer(api, text, folder / "study.yaml"))
        except Exception as error:
            error.add_note(f"text {number} of seed {seed}: {text!r}")
            raise
    return kinds


def test_a_text_gets_the_same_answer_each_way(lonely_api: httpx.Client, tmp_path: Path) -> None:
    assert kinds_of(lonely_api, tmp_path, seed=1, count=80) == {"accepted", "broken", "unreadable"}


@pytest.mark.wide
def test_many_texts_get_the_same_answer_each_way(api: httpx.Client, tmp_path: Path) -> None:
    assert kinds_of(api, tmp_path, seed=2, count=300) == {"accepted", "broken", "unreadable"}


def _objects(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all objects in the data that have keys."""
    if isinstance(data, dict) and data:
        yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from _objects(value, (*path, key))


def _with_a_key_twice(data: Any, path: tuple[Any, ...]) -> str:
    """The data as JSON, whose object at the path has its first key twice."""
    if isinstance(data, dict):
        lines = [f"{json.dumps(key)}: {_with_a_key_twice(value, _below(path, key))}" for key, value in data.items()]
        return f"{{{', '.join(lines + lines[:1] if path == () else lines)}}}"
    if isinstance(data, list):
        return f"[{', '.join(_with_a_key_twice(value, _below(path, place)) for place, value in enumerate(data))}]"
    return json.dumps(data)


def _below(path: tuple[Any, ...], step: Any) -> tuple[Any, ...]:
    return path[1:] if path[:1] == (step,) else ("elsewhere",)


def test_a_key_stands_once_in_every_object_of_a_definition(lonely_api: httpx.Client, tmp_path: Path) -> None:
    whole = parse_definition(load_preset("quickstart")).model_dump(mode="json")
    whole["start_with"] = [{"params": {"units": 32}, "outside": False}]
    places = list(_objects(whole))
    assert len(places) > 15
    for path in places:
        text = _with_a_key_twice(whole, path).encode()
        for found in (by_file(text, tmp_path / "a.json")[0], by_set(text.decode()), by_rest(lonely_api, text)):
            assert found[0] == "unreadable"
            assert re.search(r"line 1, column \d+: the key \".*\" stands at line 1, column \d+ already", found[1])


def test_a_key_stands_once_in_every_body(lonely_api: httpx.Client) -> None:
    orders = [
        (method, re.sub(r"{\w+}", "digits-1", path))
        for path, methods in lonely_api.get("/openapi.json").json()["paths"].items()
        for method, described in methods.items()
        if "requestBody" in described
    ]
    assert len(orders) >= 5
    for method, path in orders:
        as_json = {"Content-Type": "application/json"}
        answer = lonely_api.request(method, path, content=b'{"trials": 1,\n "trials": 2}', headers=as_json)
        kind = "invalid_yaml" if path == "/v1/definitions" else "invalid_json"  # that one reads both
        assert (answer.status_code, answer.json()["error"]) == (400, kind), path
        assert 'line 2, column 2: the key "trials" stands at line 1, column 2 already' in answer.json()["message"]


def test_a_query_says_nothing_twice(lonely_api: httpx.Client) -> None:
    answer = lonely_api.get("/v1/studies?limit=1&offset=3&limit=2")
    assert answer.status_code == 422
    assert answer.json()["message"] == "query.limit: must be given once, got several values"


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "a", "budget": {"trials": 1},\n "budget": {"trials": 2}}',
        '{"name": ' + "[" * 40 + "]" * 40 + "}",
        '{"description": "' + "x" * 5_000 + '"}',
        '{"seed": 1e400}',
        '{"seed": ' + "1" * 5_000 + "}",
        '{"name": "\\udc00"}',
    ],
)
def test_json_that_cannot_count_is_refused_in_the_same_words(
    lonely_api: httpx.Client, tmp_path: Path, text: str
) -> None:
    rule = re.compile(r"line \d+, column \d+: .*")
    words = [by_file(text.encode(), tmp_path / "a.json")[0][1], by_set(text)[1], by_rest(lonely_api, text.encode())[1]]
    found = [match[0] for match in map(rule.search, words) if match]
    assert found == [found[0]] * 3
