"""Changes single values of a definition's text, and leaves its comments, order and layout as they are."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from search_spaces.json_text import Malformed, read_json
from search_spaces.yaml_text import FAILURES, read_yaml, written

WIDTH = 4096  # characters: no line is broken that its author left whole
Path = Sequence[str]


class _Left:
    """Stands for a value that is to be left out."""


LEFT_OUT: Final = _Left()


class NotEditable(ValueError):
    """The text cannot be changed in place; the message is one line."""


def edited(text: str, changes: Mapping[tuple[str, ...], Any]) -> str:
    """The text of an object in which each path has its new value; LEFT_OUT takes it away, with an object that is empty
    then. Objects on the way that are missing are added.

    Raises:
        NotYaml: the text cannot be read.
        NotEditable: a path leads through something that is no object, or the text is written in a way that cannot be
            changed in place.
    """
    data = read_yaml(text)
    if not isinstance(data, dict):
        raise NotEditable("the text must be a mapping such as `name: my-study`")
    wanted = deepcopy(data)
    for path, value in changes.items():
        _set(wanted, path, value, dict)
    if wanted == data:
        return text
    try:
        read_json(text)
    except Malformed:
        new = _in_place(text, changes)
    else:
        new = json.dumps(wanted, indent=2, ensure_ascii=False) + "\n"
    if read_yaml(new) != wanted:
        raise NotEditable("the text is written in a way that the form cannot change, as by an alias: change it by hand")
    return new


def _in_place(text: str, changes: Mapping[tuple[str, ...], Any]) -> str:
    left: dict[tuple[str, ...], Any] = {}
    for path, value in changes.items():
        spliced = None if value is LEFT_OUT else _spliced(text, path, value)
        if spliced is None:
            left[path] = value
        else:
            text = spliced
    return _laid_out_again(text, left) if left else text


def _spliced(text: str, path: Path, value: Any) -> str | None:
    """The text with the new value between the characters of the old one, or in a line at its end; None where it takes
    more than that."""
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except FAILURES:
        return None
    for key in path:
        pairs = node.value if isinstance(node, MappingNode) else ()
        found = [each for name, each in pairs if name.value == key]
        if len(found) != 1:
            is_new = len(path) == 1 and not found and isinstance(node, MappingNode) and not node.flow_style
            return f"{text.rstrip()}\n{key}: {_written(value)}\n" if is_new else None
        node = found[0]
    if isinstance(node, ScalarNode) or (isinstance(node, SequenceNode) and node.flow_style):
        return text[: node.start_mark.index] + _written(value) + text[node.end_mark.index :]
    return None


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str) and re.search(r"[\[\]{},:#]|^\?", value):
        return json.dumps(value, ensure_ascii=False)
    return written(value)


def _laid_out_again(text: str, changes: Mapping[tuple[str, ...], Any]) -> str:
    """The text with the changes; blanks that align columns are lost."""
    yaml, stream = YAML(), io.StringIO()
    yaml.width, yaml.preserve_quotes = WIDTH, True
    try:
        data = yaml.load(text)
        for path, value in changes.items():
            _set(data, path, value, _on_a_line)
        yaml.dump(data, stream)
    except FAILURES as error:
        raise NotEditable("the form cannot change this text: change it by hand") from error
    return stream.getvalue()


def _set(data: Any, path: Path, value: Any, new: type[dict[str, Any]] | Any) -> None:
    *above, last = path
    places = [data]
    for key in above:
        if places[-1].get(key) is None:
            if value is LEFT_OUT:
                return
            places[-1][key] = new()
        places.append(places[-1][key])
        if not isinstance(places[-1], dict):
            raise NotEditable(f"{'.'.join(path)} cannot be set: there is a value above it")
    if value is not LEFT_OUT:
        places[-1][last] = _sequence(value) if isinstance(value, list) and new is not dict else value
        return
    places[-1].pop(last, None)
    for place, key in zip(reversed(places[:-1]), reversed(above), strict=True):
        if not place[key]:
            del place[key]


def _on_a_line() -> CommentedMap:
    made = CommentedMap()
    made.fa.set_flow_style()
    return made


def _sequence(values: list[Any]) -> CommentedSeq:
    # ruamel writes `?x` bare, and reads it as a key within brackets.
    plain = [Quoted(one) if isinstance(one, str) and one.startswith("?") else one for one in values]
    made = CommentedSeq(plain)
    made.fa.set_flow_style()
    return made
